"""What channels owe: messages reach real receivers, are sent again when they do not, and say no secret to anybody."""

import asyncio
import base64
import json
import logging
import re
import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from schemas.channel import AttemptOutcome, Channel, ChannelKind, DeliveryLog, DeliveryState
from schemas.notice import NoticeKind, NoticeLevel, ReportColumn, ReportTable
from services.domain.channels.new_channel import ChannelInput, new_channel
from services.domain.channels.trial import trial_notice
from services.domain.routing.address import is_reachable
from services.scheduler.delivery import CLAIM, Deliveries
from services.stores.clock import SystemClock
from services.stores.notifiers.notifier import ChannelNotifier, NotifierOptions
from services.stores.state.channels import SqlChannels
from services.stores.state.deliveries import SqlDeliveryQueue
from services.stores.state.migrations.run import migrate_state
from services.stores.upstream.dial import trusting_context
from services.telemetry.metrics import Metrics
from tests.builders.notices import a_notice
from tests.builders.records import TIMESTAMP
from tests.servers.receivers import PASSWORD, HttpReceiver, MailReceiver, http_receiver, mail_receiver

pytestmark = pytest.mark.anyio

DASHBOARD = "https://farebox.example.com"
KEY = "whsec_" + base64.b64encode(b"canarysigningkeycanarysigningkey").decode()
ROUTING_KEY = "canaryroutingkey0123456789abcdef"
TOKEN = "xoxb-canaryslacktoken"
README = Path(__file__).parents[2] / "services/query/channels/README.md"
SECOND = timedelta(seconds=1)


class Outbox:
    """A state database, with what sends from it."""

    def __init__(self, file: Path, options: dict[str, str]) -> None:
        url = f"sqlite:///{file}"
        self.file = file
        self._added = 0
        self.channels = SqlChannels(url, encryption_key="e" * 32)
        self.queue = SqlDeliveryQueue(url, encryption_key="e" * 32)
        self.metrics = Metrics()
        defaults = dict.fromkeys(NotifierOptions.__struct_fields__, "") | {"mail_from": "Farebox <farebox@example.com>"}
        self.notifier = ChannelNotifier(NotifierOptions(**defaults | options), is_reachable=is_reachable)
        self.deliveries = Deliveries(
            self.queue,
            self.notifier,
            clock=SystemClock(),
            metrics=self.metrics,
            draw=lambda: 0.0,
            public_url=DASHBOARD,
        )

    async def add(self, kind: ChannelKind, **given: Any) -> Channel:
        self._added += 1
        name = f"channel {self._added}"
        config, secret = new_channel(ChannelInput(name=name, kind=kind, **given))
        return await self.channels.add_channel(
            organization_id="acme", name=name, kind=kind, config=config, secret=secret, created_by="cli"
        )

    async def send(self, channel: Channel, notice_id: str = "n-1", **changed: Any) -> DeliveryLog:
        await self.channels.send(a_notice(notice_id, **changed), [channel.id])
        await self.deliveries.run_once(TIMESTAMP)
        return await self.log(notice_id)

    async def log(self, notice_id: str = "n-1") -> DeliveryLog:
        [delivery] = await self.channels.deliveries_of("acme", notice_id=notice_id)
        return delivery

    async def again(self, at: datetime, notice_id: str = "n-1") -> DeliveryLog:
        await self.deliveries.run_once(at)
        return await self.log(notice_id)

    async def close(self) -> None:
        await self.notifier.close()
        await self.channels.close()
        await self.queue.close()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("tls")
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    made = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    files = ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run(["openssl", "req", "-x509", *made, *subject, *files], check=True, capture_output=True)
    return certificate, key


def server_context(certificate: tuple[Path, Path]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    return context


@pytest.fixture(scope="module")
def secured_mail(certificate: tuple[Path, Path]) -> Iterator[MailReceiver]:
    with mail_receiver(server_context(certificate)) as receiver:
        yield receiver


@pytest.fixture(scope="module")
def receivers() -> Iterator[HttpReceiver]:
    with http_receiver() as receiver:
        yield receiver


@pytest.fixture
def receiver(receivers: HttpReceiver) -> HttpReceiver:
    receivers.received.clear()
    receivers.responses.clear()
    return receivers


@pytest.fixture
def mail(secured_mail: MailReceiver) -> MailReceiver:
    secured_mail.mails.clear()
    secured_mail.recipients.clear()
    secured_mail.refusals.clear()
    return secured_mail


@pytest.fixture(scope="module")
async def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("state") / "state.sqlite"
    await migrate_state(f"sqlite:///{file}")
    return file


Opened = Callable[..., Awaitable[Outbox]]


@pytest.fixture
async def opened(
    migrated: Path, tmp_path: Path, receiver: HttpReceiver, mail: MailReceiver, certificate: tuple[Path, Path]
) -> AsyncIterator[Opened]:
    made: list[Outbox] = []

    async def open_outbox(**options: str) -> Outbox:
        file = tmp_path / f"{len(made)}.sqlite"
        shutil.copy(migrated, file)
        known = {
            "smtp_url": mail.url,
            "ca_file": str(certificate[0]),
            "slack_url": receiver.url,
            "pagerduty_url": receiver.url,
        }
        made.append(Outbox(file, known | options))
        return made[-1]

    yield open_outbox
    for outbox in made:
        await outbox.close()


@pytest.fixture
async def outbox(opened: Opened) -> Outbox:
    return await opened()


async def test_mail_goes_out_by_starttls_as_text_and_html_to_all_recipients(outbox: Outbox, mail: MailReceiver) -> None:
    channel = await outbox.add(ChannelKind.EMAIL, recipients=["finance@example.com", "ops@example.com"])
    delivery = await outbox.send(channel)
    assert (delivery.state, delivery.attempts[0].status, delivery.attempts[0].error) == ("delivered", 250, "")
    await outbox.send(channel, "n-2", kind=NoticeKind.RESOLVED, level=NoticeLevel.OK)
    first, second = mail.mails
    assert mail.recipients[0] == ["finance@example.com", "ops@example.com"]
    assert first["Subject"] == "WARNING: Daily cost (Environment: production)"
    assert second["Subject"] == "RESOLVED: Daily cost (Environment: production)"
    assert first["From"] == "Farebox <farebox@example.com>"
    assert (first["X-Farebox-Notice-Id"], second["X-Farebox-Notice-Id"]) == ("n-1", "n-2")
    assert first["References"] == second["References"]
    assert first["Message-ID"] != second["Message-ID"]
    text, html = first.get_body(("plain",)), first.get_body(("html",))
    assert text is not None
    assert html is not None
    assert "The cost is $412.35; the threshold is $400.00 (80 % of $500)." in text.get_content()
    assert f'href="{DASHBOARD}/dashboard/alerts/' in html.get_content()


async def test_mail_goes_out_by_tls_from_the_first_byte(opened: Opened, certificate: tuple[Path, Path]) -> None:
    with mail_receiver(server_context(certificate), implicit=True) as mail:
        trusting, distrusting = await opened(smtp_url=mail.url), await opened(smtp_url=mail.url, ca_file="")
        for outbox, state in ((trusting, DeliveryState.DELIVERED), (distrusting, DeliveryState.WAITING)):
            channel = await outbox.add(ChannelKind.EMAIL, recipients=["finance@example.com"])
            delivery = await outbox.send(channel)
            assert delivery.state is state
        assert "certificate is not trusted" in delivery.attempts[0].error
        assert [one["To"] for one in mail.mails] == ["finance@example.com"]


async def test_a_report_by_mail_has_its_numbers_in_a_file_of_csv(outbox: Outbox, mail: MailReceiver) -> None:
    table = ReportTable(
        title="By user",
        columns=(ReportColumn(name="user"), ReportColumn(name="cost_usd")),
        rows=(("=HYPERLINK(1)", "12.3456789"), ("plain, quoted", None)),
    )
    channel = await outbox.add(ChannelKind.EMAIL, recipients=["finance@example.com"])
    await outbox.send(channel, kind=NoticeKind.REPORT, tables=(table,))
    [attachment] = mail.mails[0].iter_attachments()
    assert attachment.get_filename() == "report-1.csv"
    assert attachment.get_content() == 'user,cost_usd\r\n\'=HYPERLINK(1),12.3456789\r\n"plain, quoted",\r\n'


async def test_a_webhook_can_verify_what_it_received(outbox: Outbox, receiver: HttpReceiver) -> None:
    url = f"{receiver.url}/hook?key=canaryquery"
    channel = await outbox.add(ChannelKind.WEBHOOK, url=url, signing_key=KEY, private=True)
    delivery = await outbox.send(channel)
    [got] = receiver.received
    assert (delivery.state, got.path, got.headers["webhook-id"]) == ("delivered", "/hook?key=canaryquery", "n-1")
    documented: dict[str, Any] = {}
    exec(re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)[0], documented)
    is_genuine = documented["is_genuine"]
    assert is_genuine(got.headers, got.body, KEY)
    assert not is_genuine(got.headers, got.body + b" ", KEY)
    assert not is_genuine({**got.headers, "webhook-id": "n-2"}, got.body, KEY)
    assert not is_genuine(got.headers, got.body, "another key")
    assert not is_genuine({**got.headers, "webhook-timestamp": "1700000000"}, got.body, KEY)
    body = json.loads(got.body)
    assert (body["type"], body["data"]["notice_id"], body["data"]["value"]) == ("alert.firing", "n-1", 412.345678)


async def test_slack_is_posted_to_by_a_webhook_and_by_a_bot(outbox: Outbox, receiver: HttpReceiver) -> None:
    webhook = await outbox.add(ChannelKind.SLACK, url=f"{receiver.url}/services/T/B/canary", private=True)
    bot = await outbox.add(ChannelKind.SLACK, slack_channel="#alerts", token=TOKEN)
    assert (await outbox.send(webhook)).state is DeliveryState.DELIVERED
    assert (await outbox.send(bot, "n-2")).state is DeliveryState.DELIVERED
    first, second = receiver.received
    assert (first.path, second.path) == ("/services/T/B/canary", "/chat.postMessage")
    assert second.headers["authorization"] == f"Bearer {TOKEN}"
    assert json.loads(second.body)["channel"] == "#alerts"
    assert "channel" not in json.loads(first.body)


async def test_a_channel_of_slack_without_a_token_has_that_of_the_setting(
    opened: Opened, receiver: HttpReceiver
) -> None:
    without, with_one = await opened(), await opened(slack_token=TOKEN)
    for outbox, state in ((without, DeliveryState.WAITING), (with_one, DeliveryState.DELIVERED)):
        channel = await outbox.channels.slack_channel("acme", "C0123", created_by="cli")
        delivery = await outbox.send(channel)
        assert delivery.state is state
    assert "FAREBOX_SLACK_TOKEN" in (await without.log()).attempts[0].error
    assert [one.headers["authorization"] for one in receiver.received] == [f"Bearer {TOKEN}"]


async def test_what_slack_refuses_is_not_sent_again_and_its_reason_is_kept(
    outbox: Outbox, receiver: HttpReceiver
) -> None:
    channel = await outbox.add(ChannelKind.SLACK, slack_channel="#gone", token=TOKEN)
    receiver.responses = [(200, {}, b'{"ok": false, "error": "ratelimited"}'), (200, {}, b'{"ok": false}')]
    assert (await outbox.send(channel)).state is DeliveryState.WAITING
    delivery = await outbox.again(TIMESTAMP + 10 * SECOND)
    assert delivery.state is DeliveryState.FAILED
    assert [one.error for one in delivery.attempts] == [
        "Slack refused the message: ratelimited",
        "Slack refused the message: without a reason",
    ]


async def test_pagerduty_opens_and_ends_one_incident(outbox: Outbox, receiver: HttpReceiver) -> None:
    channel = await outbox.add(ChannelKind.PAGERDUTY, routing_key=ROUTING_KEY)
    receiver.responses = [(202, {}, b"{}")] * 2
    await outbox.send(channel)
    await outbox.send(channel, "n-2", kind=NoticeKind.RESOLVED, level=NoticeLevel.OK)
    first, second = (json.loads(one.body) for one in receiver.received)
    assert [one.path for one in receiver.received] == ["/v2/enqueue"] * 2
    assert (first["event_action"], second["event_action"]) == ("trigger", "resolve")
    assert first["dedup_key"] == second["dedup_key"]
    assert first["routing_key"] == ROUTING_KEY


async def test_teams_gets_a_card(outbox: Outbox, receiver: HttpReceiver) -> None:
    url = f"{receiver.url}/workflows/abc/triggers/manual/paths/invoke?sig=canarysig"
    channel = await outbox.add(ChannelKind.TEAMS, url=url, private=True)
    receiver.responses = [(202, {}, b"")]
    assert (await outbox.send(channel)).state is DeliveryState.DELIVERED
    card = json.loads(receiver.received[0].body)["attachments"][0]
    assert card["contentType"] == "application/vnd.microsoft.card.adaptive"


async def test_a_message_is_sent_again_later_with_the_same_id(outbox: Outbox, receiver: HttpReceiver) -> None:
    channel = await outbox.add(ChannelKind.WEBHOOK, url=receiver.url, signing_key=KEY, private=True)
    receiver.responses = [(503, {"Retry-After": "60"}, b"canarybody"), (404, {}, b""), (302, {"Location": "/x"}, b"")]
    delivery = await outbox.send(channel)
    assert (delivery.state, delivery.due_at) == (DeliveryState.WAITING, TIMESTAMP + 60 * SECOND)
    now = TIMESTAMP + 59 * SECOND
    assert len((await outbox.again(now)).attempts) == 1
    for _ in range(3):
        now += 61 * SECOND
        delivery = await outbox.again(now)
    assert [(one.status, one.outcome) for one in delivery.attempts] == [
        (503, AttemptOutcome.RETRYING),
        (404, AttemptOutcome.RETRYING),
        (302, AttemptOutcome.RETRYING),
        (200, AttemptOutcome.DELIVERED),
    ]
    assert receiver.ids() == ["n-1"] * 4
    assert [one.path for one in receiver.received] == ["/"] * 4
    exposed = outbox.metrics.exposition()
    assert 'farebox_deliveries_total{channel="webhook",outcome="retrying"} 3.0' in exposed


async def test_mail_that_waits_is_sent_again_and_mail_that_is_refused_is_not(
    outbox: Outbox, mail: MailReceiver
) -> None:
    channel = await outbox.add(ChannelKind.EMAIL, recipients=["finance@example.com"])
    mail.refusals = ["451 try again", "554 canaryspam"]
    assert (await outbox.send(channel)).state is DeliveryState.WAITING
    delivery = await outbox.again(TIMESTAMP + 10 * SECOND)
    assert delivery.state is DeliveryState.FAILED
    assert [one.error for one in delivery.attempts] == [
        "the mail server responded with 451",
        "the mail server responded with 554",
    ]


async def test_mail_without_a_trusted_certificate_or_password_is_not_handed_in(
    opened: Opened, mail: MailReceiver
) -> None:
    distrusting = await opened(ca_file="")
    stranger = await opened(smtp_url=mail.url.replace(PASSWORD, "wrong"))
    nowhere = await opened(smtp_url="")
    errors = []
    for outbox in (distrusting, stranger, nowhere):
        channel = await outbox.add(ChannelKind.EMAIL, recipients=["finance@example.com"])
        delivery = await outbox.send(channel)
        assert delivery.state is DeliveryState.WAITING
        errors.append(delivery.attempts[0].error)
    assert "certificate is not trusted" in errors[0]
    assert errors[1:] == [
        "the mail server refuses the user and password",
        "no mail server: set FAREBOX_SMTP_URL",
    ]
    assert mail.mails == []


@pytest.mark.parametrize("host", ["localhost", "localhost.localdomain", "ip6-localhost"])
async def test_a_name_that_leads_inside_is_not_posted_to_unless_an_operator_said_so(
    outbox: Outbox, receiver: HttpReceiver, host: str
) -> None:
    port = receiver.url.rpartition(":")[2]
    channel = await outbox.add(ChannelKind.WEBHOOK, url=f"https://{host}:{port}/", signing_key=KEY)
    delivery = await outbox.send(channel)
    assert delivery.state is DeliveryState.WAITING
    assert receiver.received == []
    # Some machines do not know the longer names.
    assert delivery.attempts[0].error.endswith(("private or not for such calls", "the name does not resolve"))


async def test_a_process_that_is_killed_on_the_way_leaves_the_message_to_the_next_one(
    outbox: Outbox, receiver: HttpReceiver
) -> None:
    channel = await outbox.add(ChannelKind.WEBHOOK, url=receiver.url, signing_key=KEY, private=True)
    await outbox.channels.send(a_notice("n-1"), [channel.id])
    [before] = await outbox.queue.claim(at=TIMESTAMP, until=TIMESTAMP + CLAIM, limit=1)  # killed before it sends
    assert before.number == 1
    delivery = await outbox.again(TIMESTAMP + CLAIM - SECOND)
    assert (delivery.state, receiver.ids()) == (DeliveryState.WAITING, [])
    delivery = await outbox.again(TIMESTAMP + CLAIM)
    assert (delivery.state, receiver.ids()) == (DeliveryState.DELIVERED, ["n-1"])
    assert [one.outcome for one in delivery.attempts] == [AttemptOutcome.STARTED, AttemptOutcome.DELIVERED]
    await outbox.again(TIMESTAMP + 3 * CLAIM)
    assert receiver.ids() == ["n-1"]


async def test_several_processes_send_each_message_once(opened: Opened, receiver: HttpReceiver) -> None:
    outbox = await opened()
    channel = await outbox.add(ChannelKind.WEBHOOK, url=receiver.url, signing_key=KEY, private=True)
    for number in range(30):
        notice = a_notice(f"n-{number}", group={"user": str(number)})
        assert await outbox.channels.send(notice, [channel.id])
    second = Deliveries(
        SqlDeliveryQueue(f"sqlite:///{outbox.file}", encryption_key="e" * 32),
        outbox.notifier,
        clock=SystemClock(),
        metrics=Metrics(),
        draw=lambda: 0.0,
    )

    async def drain(deliveries: Deliveries) -> None:
        while await deliveries.run_once(TIMESTAMP):
            pass

    await asyncio.gather(drain(outbox.deliveries), drain(second))
    assert sorted(receiver.ids()) == sorted(f"n-{number}" for number in range(30))


async def test_a_slow_receiver_keeps_no_other_waiting_and_is_served_before_the_end(
    outbox: Outbox, receiver: HttpReceiver
) -> None:
    fast = await outbox.add(ChannelKind.WEBHOOK, url=receiver.url, signing_key=KEY, private=True)
    slow = await outbox.add(ChannelKind.WEBHOOK, url=f"{receiver.url}/slow", signing_key=KEY, private=True)
    await outbox.channels.send(a_notice("n-slow", group={"user": "slow"}), [slow.id])
    stop = asyncio.Event()
    running = asyncio.create_task(outbox.deliveries.run(stop))
    await asyncio.to_thread(receiver.wait_for, "/slow")
    await outbox.channels.send(a_notice("n-fast"), [fast.id])
    await asyncio.to_thread(receiver.wait_for, "/")
    assert (await outbox.log("n-slow")).attempts[0].outcome is AttemptOutcome.STARTED
    stop.set()
    receiver.release_slow()
    await running
    assert (await outbox.log("n-slow")).state is DeliveryState.DELIVERED


async def test_no_secret_is_in_the_database_the_logs_or_the_log_of_attempts(
    outbox: Outbox, receiver: HttpReceiver, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    url = f"{receiver.url}/canarypath?sig=canarysig"
    given: list[tuple[ChannelKind, dict[str, Any]]] = [
        (ChannelKind.SLACK, {"url": url, "private": True}),
        (ChannelKind.SLACK, {"slack_channel": "#x", "token": TOKEN}),
        (ChannelKind.WEBHOOK, {"url": url, "signing_key": KEY, "private": True}),
        (ChannelKind.PAGERDUTY, {"routing_key": ROUTING_KEY}),
        (ChannelKind.TEAMS, {"url": url, "private": True}),
        (ChannelKind.TEAMS, {"url": "http://127.0.0.1:9/canarypath?sig=canarysig", "private": True}),
    ]
    logs = []
    for number, (kind, values) in enumerate(given):
        receiver.responses = [(500, {}, f"canaryecho {url} {TOKEN} {KEY} {ROUTING_KEY}".encode())]
        logs.append(await outbox.send(await outbox.add(kind, **values), f"n-{number}"))
    assert all(one.state is DeliveryState.WAITING for one in logs)
    kept = b"".join(file.read_bytes() for file in outbox.file.parent.glob(f"{outbox.file.name}*"))
    secrets = ("canary", KEY.removeprefix("whsec_"))
    seen = [kept.decode("latin-1"), caplog.text, repr([vars(one) for one in caplog.records]), repr(logs)]
    seen.append(repr(await outbox.channels.channels_of("acme")))
    assert [secret for secret in secrets for text in seen if secret in text] == []


async def test_a_trial_tells_whether_a_channel_works(outbox: Outbox, receiver: HttpReceiver) -> None:
    channel = await outbox.add(ChannelKind.WEBHOOK, url=receiver.url, signing_key=KEY, private=True)
    await outbox.channels.send(trial_notice(channel, "draw", TIMESTAMP), [channel.id])
    await outbox.deliveries.run_once(TIMESTAMP)
    assert (await outbox.log("test-draw")).state is DeliveryState.DELIVERED
    assert "This is a test" in json.loads(receiver.received[0].body)["data"]["sentence"]


@pytest.fixture(autouse=True)
def read_anew() -> Iterator[None]:
    """The trusted authorities, which a process reads once."""
    yield
    trusting_context.cache_clear()
