"""Channels: what may be typed, and when a message is sent again."""

import ssl
from typing import Any

import msgspec
import pytest

from schemas.channel import AttemptOutcome, ChannelConfig, ChannelKind, ChannelSecret, SendOutcome, SendResult
from schemas.errors import InvalidRequest, InvalidSetting
from services.domain.channels.new_channel import ChannelInput, new_channel
from services.domain.channels.retries import GIVE_UP_AFTER_S, after_attempt
from services.stores.notifiers.mail import MailSender, mail_server

KEY = "0123456789abcdef"


@pytest.mark.parametrize(
    ("kind", "given", "config", "secret"),
    [
        ("email", {"recipients": ["a@b.com", "a@b.com"]}, ChannelConfig(recipients=("a@b.com",)), ChannelSecret()),
        (
            "slack",
            {"url": "https://hooks.slack.com/services/T/B/x"},
            ChannelConfig(server="https://hooks.slack.com"),
            ChannelSecret(url="https://hooks.slack.com/services/T/B/x"),
        ),
        (
            "slack",
            {"slack_channel": "#alerts", "token": "xoxb-1234"},
            ChannelConfig(slack_channel="#alerts"),
            ChannelSecret(token="xoxb-1234"),
        ),
        (
            "webhook",
            {"url": "http://10.0.0.5:8080/x?y=1", "signing_key": KEY, "private": True},
            ChannelConfig(server="http://10.0.0.5:8080", private=True),
            ChannelSecret(url="http://10.0.0.5:8080/x?y=1", token=KEY),
        ),
        ("pagerduty", {"routing_key": KEY}, ChannelConfig(), ChannelSecret(routing_key=KEY)),
    ],
)
def test_a_channel_is_what_was_typed(
    kind: str, given: dict[str, Any], config: ChannelConfig, secret: ChannelSecret
) -> None:
    assert new_channel(ChannelInput(name="ops", kind=ChannelKind(kind), **given)) == (config, secret)


@pytest.mark.parametrize(
    ("kind", "given", "culprit"),
    [
        ("email", {}, "recipients"),
        ("email", {"recipients": ["nobody"]}, "'nobody'"),
        ("email", {"recipients": ["a@b.com\r\nBcc: c@d.com"]}, "not a mail address"),
        ("email", {"recipients": ["a@b.com"], "url": "https://x.example.com"}, "url"),
        ("slack", {}, "slack_channel"),
        ("slack", {"slack_channel": "<!channel>"}, "not a channel of Slack"),
        ("slack", {"url": "https://x.example.com", "token": "xoxb-1234"}, "leave token"),
        ("webhook", {"url": "https://x.example.com"}, "signing_key"),
        ("webhook", {"url": "https://x.example.com", "signing_key": "whsec_not base64 at all"}, "signing_key"),
        ("webhook", {"url": "https://user:secret@x.example.com", "signing_key": KEY}, "user"),
        ("webhook", {"url": "http://x.example.com", "signing_key": KEY}, "TLS"),
        ("webhook", {"url": "https://169.254.169.254/latest", "signing_key": KEY}, "address"),
        ("webhook", {"url": "https://10.0.0.5", "signing_key": KEY}, "address"),
        ("webhook", {"url": "https://[::1]", "signing_key": KEY}, "address"),
        ("webhook", {"url": "http://169.254.169.254", "signing_key": KEY, "private": True}, "address"),
        ("webhook", {"url": "file:///etc/passwd", "signing_key": KEY}, "url"),
        ("webhook", {"url": "https://x.example.com/ a", "signing_key": KEY}, "url"),
        ("teams", {}, "url"),
        ("pagerduty", {"routing_key": "short"}, "routing_key"),
    ],
)
def test_what_cannot_be_a_channel_is_refused_by_name(kind: str, given: dict[str, Any], culprit: str) -> None:
    with pytest.raises(InvalidRequest, match=culprit) as refused:
        new_channel(ChannelInput(name="ops", kind=ChannelKind(kind), **given))
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("name", ["", " ", "a\nb", "x" * 101])
def test_a_name_is_one_line(name: str) -> None:
    with pytest.raises(InvalidRequest, match="name"):
        new_channel(ChannelInput(name=name, kind=ChannelKind.EMAIL, recipients=["a@b.com"]))


FAILED = SendResult(outcome=SendOutcome.FAILED)
AGAIN, LOST = AttemptOutcome.RETRYING, AttemptOutcome.FAILED


@pytest.mark.parametrize(
    ("result", "attempt", "age_s", "draw", "expected"),
    [
        (SendResult(outcome=SendOutcome.ACCEPTED), 1, 0, 0, (AttemptOutcome.DELIVERED, 0)),
        (SendResult(outcome=SendOutcome.REFUSED), 1, 0, 0, (LOST, 0)),
        (FAILED, 1, 0, 0, (AGAIN, 10)),
        (FAILED, 1, 0, 1, (AGAIN, 5)),
        (FAILED, 4, 0, 0, (AGAIN, 80)),
        (FAILED, 10_000, 0, 0, (AGAIN, 1800)),
        (SendResult(outcome=SendOutcome.FAILED, retry_after_s=120), 1, 0, 0, (AGAIN, 120)),
        (SendResult(outcome=SendOutcome.FAILED, retry_after_s=1), 4, 0, 0, (AGAIN, 80)),
        (SendResult(outcome=SendOutcome.FAILED, retry_after_s=1e9), 1, 0, 0, (AGAIN, 3600)),
        (FAILED, 40, GIVE_UP_AFTER_S - 1799, 0, (LOST, 0)),
        (FAILED, 40, GIVE_UP_AFTER_S - 1800, 0, (AGAIN, 1800)),
    ],
)
def test_a_message_is_sent_again_later_and_later_for_half_a_day(
    result: SendResult, attempt: int, age_s: float, draw: float, expected: tuple[AttemptOutcome, float]
) -> None:
    assert after_attempt(result, attempt=attempt, age_s=age_s, draw=draw) == expected


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("smtp://me:p%40ss@mail.example.com", ("mail.example.com", 587, False, True, "me", "p@ss")),
        ("smtps://mail.example.com:2465", ("mail.example.com", 2465, True, False, None, None)),
        ("smtp+plain://127.0.0.1", ("127.0.0.1", 25, False, False, None, None)),
    ],
)
def test_a_mail_server_is_what_its_setting_says(url: str, expected: tuple[object, ...]) -> None:
    server = mail_server(url)
    assert server is not None
    assert msgspec.structs.astuple(server) == expected
    assert "p@ss" not in repr(server)


@pytest.mark.parametrize("url", ["http://mail:canary@x", "smtp://", "smtp://me:canary@x:port", "smtp://x/canary"])
def test_a_mail_server_that_cannot_be_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(InvalidSetting, match="FAREBOX_SMTP_URL") as refused:
        mail_server(url)
    assert "canary" not in str(refused.value)


@pytest.mark.parametrize("sender", ["", "nobody", "a b@c", "@x.com", "Farebox <>", "a@b\r\nBcc: c@d.com"])
def test_a_sender_that_is_no_address_is_refused(sender: str) -> None:
    with pytest.raises(InvalidSetting, match="FAREBOX_MAIL_FROM"):
        MailSender(None, sender=sender, tls=ssl.create_default_context(), timeout_s=1)
