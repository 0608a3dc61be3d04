"""Servers that notices are sent to: a real SMTP server, and one of HTTP that responds as it is told."""

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar, Final, NamedTuple

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

from tests.servers.processes import free_port

USER: Final = "farebox"
PASSWORD: Final = "canarymailpassword"


class Received(NamedTuple):
    path: str
    headers: dict[str, str]  # names in lower case
    body: bytes


class HttpReceiver:
    """Keeps what was posted to it. `responses` are used up one by one, and 200 after the last one."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.received: list[Received] = []
        self.responses: list[tuple[int, dict[str, str], bytes]] = []
        self._slow = threading.Event()
        self._came = threading.Condition()

    def took(self, one: Received) -> None:
        """Does not return before `release_slow` for what came to /slow."""
        with self._came:
            self.received.append(one)
            self._came.notify_all()
        if one.path == "/slow":
            self._slow.wait(20)

    def wait_for(self, path: str) -> None:
        with self._came:
            assert self._came.wait_for(lambda: any(one.path == path for one in self.received), 20), path

    def release_slow(self) -> None:
        self._slow.set()

    def ids(self) -> list[str]:
        return [one.headers.get("webhook-id", "") for one in self.received]


@contextmanager
def http_receiver() -> Iterator[HttpReceiver]:
    class Handler(BaseHTTPRequestHandler):
        receiver: ClassVar[HttpReceiver]

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            self.receiver.took(Received(self.path, headers, body))
            default_response: tuple[int, dict[str, str], bytes] = (200, {}, b'{"ok": true}')
            status, more, content = self.receiver.responses.pop(0) if self.receiver.responses else default_response
            self.send_response(status)
            for name, value in {"Content-Length": str(len(content)), **more}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Tests read what was received."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Handler.receiver = HttpReceiver(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield Handler.receiver
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class MailReceiver:
    """Keeps the mail that it takes. Codes in `refusals` are responded to DATA first."""

    def __init__(self) -> None:
        self.url = ""
        self.mails: list[EmailMessage] = []
        self.recipients: list[list[str]] = []
        self.refusals: list[str] = []

    async def handle_DATA(self, _server: SMTP, _session: Any, envelope: Any) -> str:  # noqa: N802  # of aiosmtpd
        if self.refusals:
            return self.refusals.pop(0)
        mail = message_from_bytes(envelope.content, policy=default)
        assert isinstance(mail, EmailMessage)
        self.mails.append(mail)
        self.recipients.append(list(envelope.rcpt_tos))
        return "250 OK"


@contextmanager
def mail_receiver(tls: ssl.SSLContext | None = None, *, implicit: bool = False) -> Iterator[MailReceiver]:
    """With `tls` by STARTTLS only, for `USER` and `PASSWORD` only; `implicit`: from the first byte, for everybody."""
    receiver = MailReceiver()

    def authenticate(_server: object, _session: object, _envelope: object, _mechanism: str, given: Any) -> AuthResult:
        known = isinstance(given, LoginPassword) and given == LoginPassword(USER.encode(), PASSWORD.encode())
        return AuthResult(success=known, handled=False)

    port = free_port()
    options: dict[str, Any] = {}
    url = f"smtp+plain://127.0.0.1:{port}"
    if tls is not None and implicit:
        url, options = f"smtps://localhost:{port}", {"ssl_context": tls}
    elif tls is not None:
        url = f"smtp://{USER}:{PASSWORD}@localhost:{port}"
        options = {
            "tls_context": tls,
            "require_starttls": True,
            "auth_required": True,
            "authenticator": authenticate,
        }
    controller = Controller(receiver, hostname="127.0.0.1", port=port, **options)
    controller.start()
    try:
        receiver.url = url
        yield receiver
    finally:
        controller.stop()
