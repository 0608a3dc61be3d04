"""The header Helicone-Fallbacks -> the targets of one request, in the order in which they are tried.

Each is checked as any server that a client names. Keys of providers travel to whom they are meant for: those of an
entry to its own server, and the client's to the server that its other headers, the route or the first entry name,
unless that entry has its own. Source: https://docs.helicone.ai/getting-started/integration-method/gateway-fallbacks
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from schemas.attempts import FallbackEntry, StatusRange
from schemas.errors import InvalidRequest
from schemas.undecodable import UNDECODABLE
from services.domain.attribution.account import CREDENTIAL_HEADERS, without_credential
from services.domain.exchange.headers import API_BASE, TARGET_URL, UPSTREAM, Head, Pair, parse_head
from services.domain.exchange.target import Fallback, Target
from services.domain.routing.choose import at_server, values_of, with_mock_response, without_credentials
from services.domain.routing.custom import AllowedHosts, Server, parse_server
from services.domain.routing.provider_key import with_client_key

MAX_ENTRIES: Final = 10
_NONE: Final = frozenset(["", "[]", "null"])
_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE: Final = re.compile(r"[ -~\t\x80-\xff]*")
_KEPT_FRAMING: Final = b"content-type"  # of the headers of an entry; the others follow from the body
_DEFAULT_CODES: Final = (StatusRange(first=429, last=429), StatusRange(first=500, last=599))
_CONTENT_ENCODING: Final = b"content-encoding"


class InvalidFallbacks(InvalidRequest):
    code = "invalid_fallbacks"
    status = 400


class _Range(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    first: int = msgspec.field(name="from")
    last: int = msgspec.field(name="to")


class _Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    target_url: str = msgspec.field(name="target-url")
    headers: dict[str, str] = {}
    on_codes: list[int | _Range] | None = msgspec.field(name="onCodes", default=None)
    body_override: dict[str, Any] = msgspec.field(name="bodyKeyOverride", default_factory=dict)


_decoder: Final = msgspec.json.Decoder(list[_Entry])


def asks_for_fallbacks(text: str) -> bool:
    """Whether `text`, the header's value, has any entry."""
    return text.strip() not in _NONE


def parse_fallbacks(text: str) -> Sequence[FallbackEntry]:
    """Raises: InvalidFallbacks, without repeating what the list holds: there may be keys in it."""
    try:
        entries = _decoder.decode(text.encode())
    except msgspec.ValidationError as error:
        raise InvalidFallbacks(f"Helicone-Fallbacks: {error}") from None
    except UNDECODABLE:
        raise InvalidFallbacks("Helicone-Fallbacks must be a JSON list") from None
    if not 0 < len(entries) <= MAX_ENTRIES:
        raise InvalidFallbacks(f"Helicone-Fallbacks may have 1 to {MAX_ENTRIES} entries")
    return tuple(_checked(place, entry) for place, entry in enumerate(entries))


def _checked(place: int, entry: _Entry) -> FallbackEntry:
    for name, value in entry.headers.items():
        if not _TOKEN.fullmatch(name) or not _VALUE.fullmatch(value):
            raise InvalidFallbacks(f"Helicone-Fallbacks: entry {place} has a header that is not valid")
    return FallbackEntry(
        target_url=entry.target_url.encode(),
        headers=tuple((name.encode("ascii"), value.encode("latin-1")) for name, value in entry.headers.items()),
        on_codes=_DEFAULT_CODES if entry.on_codes is None else tuple(map(_range, entry.on_codes)),
        body_override=entry.body_override,
    )


def _range(code: int | _Range) -> StatusRange:
    return (
        StatusRange(first=code, last=code) if isinstance(code, int) else StatusRange(first=code.first, last=code.last)
    )


def target_of_fallbacks(target: Target, head: Head, allowed: AllowedHosts) -> Target:
    """The first target that the header in `head` names, with all of them, for a request to the route `target`.

    Raises: Rejected.
    """
    given = values_of(head.routing_headers)
    if given.get(UPSTREAM) or target.upstream:
        raise InvalidFallbacks("Helicone-Fallbacks and an upstream cannot be combined: name the servers in the list")
    entries = parse_fallbacks(head.fallbacks)
    if _CONTENT_ENCODING in head.framing_headers and any(entry.body_override for entry in entries):
        raise InvalidFallbacks("Helicone-Fallbacks: a compressed body cannot be changed by bodyKeyOverride")
    named = given.get(TARGET_URL) or given.get(API_BASE)
    owner = _owner(target, parse_server(named or entries[0].target_url), is_named=named is not None)
    found = [_fallback(target, head, given, entry, owner, allowed) for entry in entries]
    # What is asked of the first server, all of them are asked.
    reports = all(one.target.stream_usage_on_request for one in found)
    first = replace(found[0].target, stream_usage_on_request=reports, secret=target.secret, fallbacks=tuple(found))
    return with_mock_response(first, given)


def _owner(target: Target, named: Server, *, is_named: bool) -> tuple[bool, str, int]:
    """The server for which the client's own keys are: that of the route, where no header names another one."""
    origin = target.origin
    if origin.host and not is_named:
        return origin.tls, origin.host, origin.port
    return named.tls, named.host, named.port


def _fallback(
    target: Target,
    head: Head,
    given: Mapping[bytes, bytes],
    entry: FallbackEntry,
    owner: tuple[bool, str, int],
    allowed: AllowedHosts,
) -> Fallback:
    server = parse_server(entry.target_url)
    has_own = any(name.lower() in CREDENTIAL_HEADERS for name, _ in entry.headers)
    keeps = not has_own and (server.tls, server.host, server.port) == owner
    path = target.gateway_path
    if path is not None and not keeps:
        path = without_credential(path)
    found = at_server(target, "Helicone-Fallbacks", server, path, allowed)
    found = with_client_key(found, given) if keeps else found
    keeps = keeps and not found.strips_credentials
    return Fallback(
        target=found,
        head=_head_with(head if keeps else without_credentials(head), entry.headers),
        on_codes=entry.on_codes,
        body_override=entry.body_override,
    )


def _head_with(head: Head, headers: Sequence[Pair]) -> Head:
    """`head` with `headers` in the place of those of their names; what is for this hop only is left out."""
    if not headers:
        return head
    own = parse_head(pair for pair in headers if pair[0].lower() not in (b"content-length", b"transfer-encoding"))
    forwarded = [pair for pair in own.forwarded if pair[0].lower() != _CONTENT_ENCODING]
    names = {name.lower() for name, _ in forwarded}
    return replace(
        head,
        forwarded=[*(pair for pair in head.forwarded if pair[0].lower() not in names), *forwarded],
        account_headers={**_without(head.account_headers, names), **own.account_headers},
        framing_headers={**head.framing_headers, **_only(own.framing_headers, _KEPT_FRAMING)},
    )


def _without(headers: Mapping[bytes, bytes], names: set[bytes]) -> dict[bytes, bytes]:
    return {name: value for name, value in headers.items() if name not in names}


def _only(headers: Mapping[bytes, bytes], name: bytes) -> dict[bytes, bytes]:
    return {name: headers[name]} if name in headers else {}
