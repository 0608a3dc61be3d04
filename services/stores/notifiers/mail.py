"""Messages by mail, through the server of the setting FAREBOX_SMTP_URL."""

import asyncio
import re
import ssl
from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr
from typing import Final
from urllib.parse import unquote, urlsplit

import aiosmtplib
import msgspec

from schemas.channel import Channel, SendOutcome, SendResult
from schemas.errors import InvalidSetting
from schemas.message import MailMessage

_ADDRESS: Final = re.compile(r"[^@\s<>]+@[^@\s<>]+")
_PORTS: Final = {"smtp": 587, "smtps": 465, "smtp+plain": 25}


class MailServer(msgspec.Struct, frozen=True, kw_only=True):
    """Where mail is handed in."""

    host: str
    port: int
    tls: bool  # from the first byte
    starttls: bool
    user: str | None = None
    password: str | None = None

    def __repr__(self) -> str:
        return f"MailServer({self.host}:{self.port})"


def mail_server(url: str) -> MailServer | None:
    """Of the setting; None for ''. Raises: InvalidSetting, without the password."""
    if not url:
        return None
    wrong = InvalidSetting(
        "setting FAREBOX_SMTP_URL: expected smtp://USER:PASSWORD@HOST:587, which begins TLS by STARTTLS, "
        "smtps://USER:PASSWORD@HOST:465, or smtp+plain://HOST:25 without TLS"
    )
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise wrong from None
    if parts.scheme not in _PORTS or not host or parts.path.strip("/") or parts.query:
        raise wrong
    return MailServer(
        host=host,
        port=port or _PORTS[parts.scheme],
        tls=parts.scheme == "smtps",
        starttls=parts.scheme == "smtp",
        user=None if parts.username is None else unquote(parts.username),
        password=None if parts.password is None else unquote(parts.password),
    )


class MailSender:
    """Sends mail, one connection for each."""

    def __init__(self, server: MailServer | None, *, sender: str, tls: ssl.SSLContext, timeout_s: float) -> None:
        """`sender` is the address of the header From, with a name or without. Raises: InvalidSetting."""
        self._server = server
        self._sender = _address(sender)
        self._tls = tls
        self._timeout_s = timeout_s

    async def send(self, channel: Channel, message: MailMessage) -> SendResult:
        server = self._server
        if server is None:
            return SendResult(outcome=SendOutcome.FAILED, error="no mail server: set FAREBOX_SMTP_URL")
        mail = _mail(channel, message, self._sender)
        try:
            async with asyncio.timeout(self._timeout_s):
                refused = await self._hand_in(server, mail, channel.config.recipients)
        except aiosmtplib.SMTPRecipientsRefused as error:
            codes = [one.code for one in error.recipients]
            is_final = all(code >= 500 for code in codes)
            return _failed(f"the mail server refuses all recipients: {codes[0]}", codes[0], is_final=is_final)
        except aiosmtplib.SMTPAuthenticationError as error:
            return _failed("the mail server refuses the user and password", error.code, is_final=False)
        except aiosmtplib.SMTPResponseException as error:
            return _failed(f"the mail server responded with {error.code}", error.code, is_final=error.code >= 550)
        except (aiosmtplib.SMTPException, OSError) as error:
            return _failed(f"no mail through {server.host}: {_reason(error)}", None, is_final=False)
        # Sent again, the others would have it twice.
        note = f"{len(refused)} of {len(channel.config.recipients)} recipients were refused" if refused else ""
        return SendResult(outcome=SendOutcome.ACCEPTED, status=250, error=note)

    async def _hand_in(self, server: MailServer, mail: EmailMessage, recipients: Sequence[str]) -> Collection[str]:
        """The recipients that the server refuses, if it takes the mail for others."""
        refused, _ = await aiosmtplib.send(
            mail,
            sender=self._sender.addr_spec,
            recipients=list(recipients),
            hostname=server.host,
            port=server.port,
            username=server.user,
            password=server.password,
            use_tls=server.tls,
            start_tls=server.starttls,
            tls_context=self._tls if server.tls or server.starttls else None,
            timeout=self._timeout_s,
        )
        return refused


def _address(sender: str) -> Address:
    wrong = InvalidSetting("setting FAREBOX_MAIL_FROM: expected an address, or NAME <ADDRESS>")
    name, spec = parseaddr(sender)
    if not _ADDRESS.fullmatch(spec) or not sender.isprintable():
        raise wrong
    try:
        return Address(display_name=name, addr_spec=spec)
    except (MessageError, ValueError, IndexError):
        raise wrong from None


def _mail(channel: Channel, message: MailMessage, sender: Address) -> EmailMessage:
    """The same id in every attempt, by which mail programs know a copy; one thread for each incident."""
    mail = EmailMessage(policy=SMTP)
    mail["From"] = sender
    mail["To"] = ", ".join(channel.config.recipients)
    mail["Subject"] = message.subject
    mail["Date"] = format_datetime(datetime.now(UTC))
    mail["Message-ID"] = f"<{message.message_id}.{channel.id}@{sender.domain}>"
    thread = f"<{message.thread_id}@{sender.domain}>"
    mail["In-Reply-To"] = thread
    mail["References"] = thread
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Farebox-Notice-Id"] = message.message_id
    mail.set_content(message.text)
    mail.add_alternative(message.html, subtype="html")
    for attachment in message.attachments:
        main, _, sub = attachment.content_type.partition("/")
        mail.add_attachment(attachment.content, maintype=main, subtype=sub, filename=attachment.name)
    return mail


def _failed(error: str, status: int | None, *, is_final: bool) -> SendResult:
    outcome = SendOutcome.REFUSED if is_final else SendOutcome.FAILED
    return SendResult(outcome=outcome, status=status, error=error)


def _reason(error: Exception) -> str:
    """Short; what the server said is left out, since it may repeat what was sent."""
    cause = error.__cause__ or error
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {cause.verify_message}"
    if isinstance(cause, (TimeoutError, aiosmtplib.SMTPTimeoutError)):
        return "it was too slow"
    if isinstance(cause, ConnectionRefusedError):
        return "refused"
    return type(cause).__name__
