"""How long is waited before the next attempt: decorrelated jitter, and what the provider asks for.

Source: https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
"""

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

from schemas.attempts import AttemptPolicy
from services.domain.exchange.headers import Pair

_SECONDS: Final = re.compile(rb"[0-9]{1,9}(?:\.[0-9]{1,9})?")


def drawn_wait_ms(policy: AttemptPolicy, previous_ms: float, draw: float) -> float:
    """Between the policy's shortest wait and `factor` times `previous_ms`, or the longest; `draw` is from 0 to 1.

    `previous_ms` is the wait before, 0 for none.
    """
    shortest = policy.min_wait_ms
    longest = min(policy.max_wait_ms, max(shortest, previous_ms) * policy.factor)
    return shortest + draw * (longest - shortest)


def requested_wait_ms(headers: Iterable[Pair], now: datetime) -> float:
    """What a response asks for by Retry-After, in seconds or as a date, or by Retry-After-Ms; 0 where it does not."""
    given = {name.lower(): value.strip() for name, value in headers if name.lower().startswith(b"retry-after")}
    exact = given.get(b"retry-after-ms", b"")
    if _SECONDS.fullmatch(exact):
        return float(exact)
    text = given.get(b"retry-after", b"")
    if _SECONDS.fullmatch(text):
        return 1000 * float(text)
    return _until_ms(text, now)


def _until_ms(text: bytes, now: datetime) -> float:
    try:
        date = parsedate_to_datetime(text.decode("ascii"))
    except (ValueError, TypeError):
        return 0.0
    aware = date if date.tzinfo is not None else date.replace(tzinfo=UTC)
    return max(0.0, (aware - now).total_seconds() * 1000)
