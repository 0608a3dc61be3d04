"""Messages to Slack, Teams, PagerDuty and webhooks: each a request, and what its response means."""

import hmac
import re
from base64 import b64decode, b64encode
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

import msgspec

from schemas.channel import Channel, ChannelSecret, SendOutcome, SendResult
from schemas.errors import UpstreamUnavailable
from schemas.message import JsonMessage
from schemas.origin import Reach
from services.stores.notifiers.posting import Poster, Reply

# What the same request can be answered otherwise by, later. A webhook may give any status while it is being deployed.
_PASSING: Final = frozenset({408, 409, 425, 429})
_SLACK_PASSING: Final = frozenset(
    {"ratelimited", "rate_limited", "internal_error", "fatal_error", "service_unavailable"}
)
_SLACK_ERROR: Final = re.compile(r"[a-z_]{1,60}")
_GONE: Final = 410
_PREFIX: Final = "whsec_"

_encoder: Final = msgspec.json.Encoder(decimal_format="number")


class HttpChannels:
    """One method for each kind. `slack_url` and `pagerduty_url` are the servers of these services, or relays."""

    def __init__(self, poster: Poster, *, slack_url: str, slack_token: str, pagerduty_url: str) -> None:
        """`slack_token` is of the bot that posts where a channel has none of its own."""
        self._poster = poster
        self._slack_url = slack_url.rstrip("/")
        self._slack_token = slack_token
        self._pagerduty_url = pagerduty_url.rstrip("/")

    async def send_slack(self, channel: Channel, secret: ChannelSecret, message: JsonMessage) -> SendResult:
        if secret.url:
            return await self._post(secret.url, message.payload, reach=_reach(channel))
        token = secret.token or self._slack_token
        if not token:
            return _failed("no bot token: give the channel one, or set FAREBOX_SLACK_TOKEN")
        try:
            reply = await self._poster.post(
                f"{self._slack_url}/chat.postMessage",
                _encoder.encode(message.payload),
                reach=Reach.ANY,
                headers=[(b"Authorization", f"Bearer {token}".encode())],
            )
        except UpstreamUnavailable as error:
            return _failed(str(error))
        return _slack_result(reply)

    async def send_teams(self, channel: Channel, secret: ChannelSecret, message: JsonMessage) -> SendResult:
        return await self._post(secret.url, message.payload, reach=_reach(channel))

    async def send_pagerduty(self, _channel: Channel, secret: ChannelSecret, message: JsonMessage) -> SendResult:
        payload = {**message.payload, "routing_key": secret.routing_key}
        return await self._post(f"{self._pagerduty_url}/v2/enqueue", payload, reach=Reach.ANY)

    async def send_webhook(self, channel: Channel, secret: ChannelSecret, message: JsonMessage) -> SendResult:
        """With the headers of https://www.standardwebhooks.com: an id, a timestamp and a signature over both and the
        body. Only 410 ends the attempts.
        """
        body, message_id = _encoder.encode(message.payload), message.message_id.encode("ascii", "replace")
        timestamp = b"%d" % datetime.now(UTC).timestamp()
        headers = [
            (b"webhook-id", message_id),
            (b"webhook-timestamp", timestamp),
            (b"webhook-signature", _signature(secret.token, b".".join((message_id, timestamp, body)))),
        ]
        try:
            reply = await self._poster.post(secret.url, body, reach=_reach(channel), headers=headers)
        except UpstreamUnavailable as error:
            return _failed(str(error))
        return _result(reply, is_refusal=reply.status == _GONE)

    async def close(self) -> None:
        await self._poster.close()

    async def _post(self, url: str, payload: Mapping[str, object], *, reach: Reach) -> SendResult:
        try:
            reply = await self._poster.post(url, _encoder.encode(payload), reach=reach)
        except UpstreamUnavailable as error:
            return _failed(str(error))
        return _result(reply, is_refusal=400 <= reply.status < 500 and reply.status not in _PASSING)


def _reach(channel: Channel) -> Reach:
    return Reach.INTERNAL if channel.config.private else Reach.PUBLIC


def _signature(key: str, content: bytes) -> bytes:
    secret = b64decode(key.removeprefix(_PREFIX)) if key.startswith(_PREFIX) else key.encode()
    return b"v1," + b64encode(hmac.digest(secret, content, "sha256"))


def _result(reply: Reply, *, is_refusal: bool) -> SendResult:
    if 200 <= reply.status < 300:
        return SendResult(outcome=SendOutcome.ACCEPTED, status=reply.status)
    return SendResult(
        outcome=SendOutcome.REFUSED if is_refusal else SendOutcome.FAILED,
        status=reply.status,
        error=_error(reply.status),
        retry_after_s=reply.retry_after_s,
    )


def _error(status: int) -> str:
    # The body is left out: it may repeat what was sent.
    return f"the receiver responded with {status}" + (
        ", a redirect, and none is followed" if status // 100 == 3 else ""
    )


def _slack_result(reply: Reply) -> SendResult:
    """chat.postMessage says in its body whether it worked."""
    if reply.status != 200:
        return _result(reply, is_refusal=400 <= reply.status < 500 and reply.status not in _PASSING)
    try:
        body = msgspec.json.decode(reply.body)
    except msgspec.DecodeError:
        body = None
    if isinstance(body, dict) and body.get("ok") is True:
        return SendResult(outcome=SendOutcome.ACCEPTED, status=reply.status)
    code = str(body.get("error", "")) if isinstance(body, dict) else ""
    code = code if _SLACK_ERROR.fullmatch(code) else "without a reason"
    return SendResult(
        outcome=SendOutcome.FAILED if code in _SLACK_PASSING else SendOutcome.REFUSED,
        status=reply.status,
        error=f"Slack refused the message: {code}",
        retry_after_s=reply.retry_after_s,
    )


def _failed(error: str) -> SendResult:
    return SendResult(outcome=SendOutcome.FAILED, error=error)
