"""What follows a failed attempt: another one at the same server, one at the next, or nothing."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Final

import msgspec

from schemas.attempts import AttemptPolicy, StatusRange
from services.domain.resilience.backoff import drawn_wait_ms

_ALWAYS_RETRIED: Final = 500  # and above; below it TOO_MANY alone
_TOO_MANY: Final = 429


class Skipped(StrEnum):
    """Why a request that asks for retries gets the failure without another attempt at the same server."""

    BODY_TOO_LARGE = "body_too_large"
    RETRY_AFTER = "retry_after"
    CIRCUIT_OPEN = "circuit_open"
    DEADLINE = "deadline"


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """An attempt that brought no response, or one that may be left."""

    status: int | None  # None where there was no response
    requested_wait_ms: float = 0.0  # by the response
    circuit_open: bool = False  # of its server
    left_s: float  # until the request's deadline


def is_retried(status: int | None) -> bool:
    """Whether retries are for it. Source: worker/src/lib/clients/ProviderClient.ts of Helicone."""
    return status is None or status == _TOO_MANY or status >= _ALWAYS_RETRIED


def is_left(status: int | None, on_codes: Sequence[StatusRange]) -> bool:
    """Whether a fallback with `on_codes` is left for the next one."""
    return status is None or any(status in codes for codes in on_codes)


def retry_wait_ms(failure: Failure, policy: AttemptPolicy, previous_ms: float, draw: float) -> float | Skipped:
    """Before the next attempt at the same server, of a failure that retries are for.

    What the provider asks for is waited, or there is no attempt: a shorter wait would only be refused again.
    """
    if failure.circuit_open:
        return Skipped.CIRCUIT_OPEN
    if failure.requested_wait_ms > policy.max_wait_ms:
        return Skipped.RETRY_AFTER
    wait_ms = max(failure.requested_wait_ms, drawn_wait_ms(policy, previous_ms, draw))
    return Skipped.DEADLINE if wait_ms >= 1000 * failure.left_s else wait_ms
