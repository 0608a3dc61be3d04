"""The headers Helicone-Retry-* -> how a call is retried.

Source: https://docs.helicone.ai/features/advanced-usage/retries
"""

import re
from collections.abc import Mapping, Sequence
from typing import Final

from schemas.attempts import AttemptPolicy
from schemas.errors import InvalidRequest
from services.domain.exchange.headers import Pair

MAX_RETRIES: Final = 20
MAX_FACTOR: Final = 10.0
MAX_WAIT_MS: Final = 600_000
_ENABLED: Final = b"helicone-retry-enabled"
_NO: Final = frozenset([b"", b"false", b"0", b"no", b"off"])
_WHOLE: Final = re.compile(rb"[0-9]{1,9}")
_DECIMAL: Final = re.compile(rb"[0-9]{1,4}(?:\.[0-9]{1,9})?")


class InvalidRetryHeader(InvalidRequest):
    """A number of the retries that is none, or is out of its bounds."""

    code = "invalid_retry_header"
    status = 400


def retry_policy(headers: Sequence[Pair]) -> AttemptPolicy | None:
    """What `headers`, names in lower case, ask for; None without retries, whose numbers then do not count.

    Raises: InvalidRetryHeader.
    """
    given: dict[bytes, bytes] = {}
    for name, value in headers:
        given[name] = value.strip() if name not in given else given[name] + b", " + value.strip()
    if given.get(_ENABLED, b"").lower() in _NO:
        return None
    default = AttemptPolicy()
    factor = given.get(b"helicone-retry-factor") or b"%g" % default.factor
    if not _DECIMAL.fullmatch(factor) or not 1 <= float(factor) <= MAX_FACTOR:
        raise InvalidRetryHeader(f"Helicone-Retry-Factor must be a number from 1 to {MAX_FACTOR:g}")
    max_wait_ms = _number(given, "Helicone-Retry-Max-Timeout", default.max_wait_ms, MAX_WAIT_MS)
    return AttemptPolicy(
        retries=_number(given, "Helicone-Retry-Num", default.retries, MAX_RETRIES),
        factor=float(factor),
        min_wait_ms=min(max_wait_ms, _number(given, "Helicone-Retry-Min-Timeout", default.min_wait_ms, MAX_WAIT_MS)),
        max_wait_ms=max_wait_ms,
    )


def _number(given: Mapping[bytes, bytes], name: str, default: int, most: int) -> int:
    text = given.get(name.lower().encode()) or b"%d" % default
    if not _WHOLE.fullmatch(text) or int(text) > most:
        raise InvalidRetryHeader(f"{name} must be a whole number from 0 to {most}")
    return int(text)
