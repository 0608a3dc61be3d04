"""The Farebox key where clients put it that can set no header of their own: in the place of the provider's key.

Helicone takes it from there, so clients send it there. It is ours alone: whatever else the header holds is forwarded,
and the key never is.
"""

import re
from typing import Final

from msgspec.structs import replace

from services.domain.exchange.headers import Head

_AUTHORIZATION: Final = b"authorization"
_PLACES: Final = (_AUTHORIZATION, b"x-api-key", b"api-key", b"x-goog-api-key")
_MARK: Final = b"k-helicone"
_SCHEME: Final = re.compile(rb"[Bb]earer +")
# Helicone's keys, of which the oldest have no name in them, and those of its customer portal.
_OWN_KEY: Final = re.compile(rb"[sp]k-(?:helicone[!-~]*|(?:eu-)?(?:cp-)?\w{7}(?:-\w{7}){3})")


def may_hold_own_key(head: Head) -> bool:
    """Whether `with_own_key` is worth its time: for most requests it is not."""
    if head.auth_header is None:
        return True
    for value in head.account_headers.values():  # noqa: SIM110  # a generator would take several times as long
        if _MARK in value:
            return True
    return False


def with_own_key(head: Head) -> Head:
    """`head` with our key as the value of Helicone-Auth, unless that is set, and nowhere else."""
    for place in _PLACES:
        value = head.account_headers.get(place)
        if value is None:
            continue
        parts = [part.strip() for part in value.split(b",")]
        own = [part for part in parts if _OWN_KEY.fullmatch(_SCHEME.sub(b"", part, count=1))]
        if own:
            others = b", ".join(part for part in parts if part not in own)
            head = _without(head, place, others)
            if head.auth_header is None:
                head = replace(head, auth_header=b"Bearer " + _SCHEME.sub(b"", own[0], count=1))
    return head


def _without(head: Head, place: bytes, others: bytes) -> Head:
    """`head` whose header `place` has the value `others`, or is not there when that is empty."""
    forwarded = [pair for pair in head.forwarded if pair[0].lower() != place]
    account = {name: value for name, value in head.account_headers.items() if name != place}
    if others:
        forwarded.append((place, others))
        account[place] = others
    return replace(head, forwarded=forwarded, account_headers=account)
