"""Retries and fallbacks: what a request asks for."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

DEFAULT_RETRIES: Final = 5


class AttemptPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """How often a call is tried again at one server, and how long is waited before."""

    retries: int = DEFAULT_RETRIES  # beside the first attempt
    factor: float = 2.0  # by which a wait may be longer than the one before
    min_wait_ms: int = 1_000
    max_wait_ms: int = 10_000


NO_RETRIES: Final = AttemptPolicy(retries=0)


class StatusRange(msgspec.Struct, frozen=True, kw_only=True):
    """HTTP statuses, both ends included."""

    first: int
    last: int

    def __contains__(self, status: int) -> bool:
        return self.first <= status <= self.last


class FallbackEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of the header Helicone-Fallbacks."""

    target_url: bytes
    headers: Sequence[tuple[bytes, bytes]] = ()
    on_codes: Sequence[StatusRange]  # statuses of a response for which the entry is left
    body_override: Mapping[str, Any] = {}  # members of the body's object that are replaced
