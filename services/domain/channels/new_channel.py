"""What somebody types of a channel -> what may be shown of it, and its secret; checked once."""

import re
from base64 import b64decode
from binascii import Error
from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

import msgspec
from msgspec.structs import replace

from schemas.channel import Channel, ChannelConfig, ChannelKind, ChannelSecret
from schemas.errors import InvalidRequest
from schemas.origin import Reach
from services.domain.routing.address import is_reachable

MAX_NAME: Final = 100
MAX_RECIPIENTS: Final = 50
_ADDRESS: Final = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*", re.ASCII)
_SLACK_CHANNEL: Final = re.compile(r"#?[\w.-]{1,80}")
_VISIBLE: Final = re.compile(r"[!-~]{1,2048}")
_TOKEN: Final = re.compile(r"[!-~]{8,512}")
_KEY: Final = re.compile(r"[!-~]{16,512}")
_ROUTING_KEY: Final = re.compile(r"[A-Za-z0-9_-]{16,64}")
_NUMERIC: Final = re.compile(r"[0-9.]+|.*:.*")
_SIGNING_PREFIX: Final = "whsec_"


class ChannelInput(msgspec.Struct, frozen=True, kw_only=True):
    """As it was typed; '' and () for what was not."""

    name: str
    kind: ChannelKind
    recipients: Sequence[str] = ()
    slack_channel: str = ""
    url: str = ""
    token: str = ""
    routing_key: str = ""
    signing_key: str = ""
    private: bool = False

    def __repr__(self) -> str:
        return f"ChannelInput({self.name!r}, ...)"


def new_channel(given: ChannelInput) -> tuple[ChannelConfig, ChannelSecret]:
    """Raises: InvalidRequest, which names what is wrong and repeats no secret."""
    checked_name(given.name)
    _check_fields(given)
    match given.kind:
        case ChannelKind.EMAIL:
            return ChannelConfig(recipients=_recipients(given.recipients)), ChannelSecret()
        case ChannelKind.SLACK if not given.url:
            return _slack_bot(given)
        case ChannelKind.PAGERDUTY:
            if not _ROUTING_KEY.fullmatch(given.routing_key):
                raise InvalidRequest("routing_key: expected the integration key of PagerDuty's Events API v2")
            return ChannelConfig(), ChannelSecret(routing_key=given.routing_key)
        case ChannelKind.WEBHOOK:
            return _config(given), ChannelSecret(url=given.url, token=_signing_key(given.signing_key))
        case _:
            return _config(given), ChannelSecret(url=given.url)


def changed_channel(channel: Channel, given: ChannelInput) -> tuple[ChannelConfig, ChannelSecret | None]:
    """What becomes of `channel` where `given`, of its name and kind, has what changes; None: its secret stays.

    Secrets are given all at once, as for a new channel. Raises: InvalidRequest.
    """
    checked_name(given.name)
    has_secrets = bool(given.url or given.token or given.routing_key or given.signing_key)
    if has_secrets:
        slack_channel = given.slack_channel or ("" if given.url else channel.config.slack_channel)
        return new_channel(replace(given, slack_channel=slack_channel))
    _check_fields(given)
    config = channel.config
    if given.recipients:
        config = replace(config, recipients=_recipients(given.recipients))
    if given.slack_channel:
        if config.server:
            raise InvalidRequest("slack_channel: an incoming webhook has its own channel")
        config = replace(config, slack_channel=checked_slack_channel(given.slack_channel))
    return config, None


def kept_secrets(channel: Channel) -> tuple[str, ...]:
    """The names of the secrets that are kept of `channel`, as a client sends them."""
    match channel.kind:
        case ChannelKind.EMAIL:
            return ()
        case ChannelKind.PAGERDUTY:
            return ("routing_key",)
        case ChannelKind.WEBHOOK:
            return ("url", "signing_key")
        case _ if channel.config.server:
            return ("url",)
        case _:  # a bot of Slack, which may have the token of the setting
            return ("token",) if channel.has_secret else ()


def checked_name(name: str) -> str:
    """`name` as the name of a channel or a report. Raises: InvalidRequest."""
    if not name.strip() or len(name) > MAX_NAME or not name.isprintable():
        raise InvalidRequest(f"name: expected 1 to {MAX_NAME} characters on one line")
    return name


def checked_address(address: str) -> str:
    """`address` as one of mail. Raises: InvalidRequest."""
    if len(address) > 254 or not _ADDRESS.fullmatch(address):
        raise InvalidRequest(f"{address[:80]!r} is not a mail address")
    return address


def checked_slack_channel(slack_channel: str) -> str:
    """`slack_channel` as the name or the id of a channel of Slack. Raises: InvalidRequest."""
    if not _SLACK_CHANNEL.fullmatch(slack_channel):
        raise InvalidRequest(
            f"{slack_channel[:80]!r} is not a channel of Slack: expected #name, or an id such as C0123"
        )
    return slack_channel


_FIELDS: Final = {
    ChannelKind.EMAIL: {"recipients"},
    ChannelKind.SLACK: {"url", "token", "slack_channel", "private"},
    ChannelKind.WEBHOOK: {"url", "signing_key", "private"},
    ChannelKind.PAGERDUTY: {"routing_key"},
    ChannelKind.TEAMS: {"url", "private"},
}


def _check_fields(given: ChannelInput) -> None:
    typed = {name for name, value in msgspec.structs.asdict(given).items() if value} - {"name", "kind"}
    foreign = sorted(typed - _FIELDS[given.kind])
    if foreign:
        raise InvalidRequest(f"{foreign[0]}: a channel of kind {given.kind} has none")


def _recipients(recipients: Sequence[str]) -> tuple[str, ...]:
    if not 0 < len(recipients) <= MAX_RECIPIENTS:
        raise InvalidRequest(f"recipients: expected 1 to {MAX_RECIPIENTS} mail addresses")
    return tuple(dict.fromkeys(map(checked_address, recipients)))


def _slack_bot(given: ChannelInput) -> tuple[ChannelConfig, ChannelSecret]:
    if not given.slack_channel:
        raise InvalidRequest("slack: expected the url of an incoming webhook, or slack_channel, where a bot posts")
    if given.token and not _TOKEN.fullmatch(given.token):
        raise InvalidRequest("token: expected a bot token of Slack, such as xoxb-...")
    if given.private:
        raise InvalidRequest("private: a bot of Slack calls the server of the setting FAREBOX_SLACK_URL")
    config = ChannelConfig(slack_channel=checked_slack_channel(given.slack_channel))
    return config, ChannelSecret(token=given.token)


def _config(given: ChannelInput) -> ChannelConfig:
    """Of a channel with an address. Raises: InvalidRequest."""
    if given.token or given.slack_channel:
        raise InvalidRequest("url: an incoming webhook has its own channel: leave token and slack_channel out")
    return ChannelConfig(server=_server(given.url, private=given.private), private=given.private)


def _server(url: str, *, private: bool) -> str:
    """Scheme and host of `url`."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        host, port = "", None
    if not _VISIBLE.fullmatch(url) or not host or parts.scheme not in ("http", "https"):
        raise InvalidRequest("url: expected https://HOST/PATH, in ASCII")
    if parts.username is not None or parts.password is not None or parts.fragment or "\\" in url:
        raise InvalidRequest("url: it may contain no user, password or fragment")
    if parts.scheme == "http" and not private:
        raise InvalidRequest("url: without TLS only servers inside are called: use https, or allow private addresses")
    if _NUMERIC.fullmatch(host) and not is_reachable(Reach.INTERNAL if private else Reach.PUBLIC, host):
        raise InvalidRequest("url: this address is private, or is none that messages are sent to")
    return f"{parts.scheme}://{host}" + (f":{port}" if port else "")


def _signing_key(key: str) -> str:
    """Raises: InvalidRequest."""
    if not _KEY.fullmatch(key):
        raise InvalidRequest("signing_key: expected 16 to 512 characters of ASCII, without spaces")
    if key.startswith(_SIGNING_PREFIX):
        try:
            b64decode(key.removeprefix(_SIGNING_PREFIX), validate=True)
        except (Error, ValueError):
            raise InvalidRequest("signing_key: what follows whsec_ has to be base64") from None
    return key
