"""The header Helicone-RateLimit-Policy -> the limit of a request, and the headers that tell the client about it.

Source: https://docs.helicone.ai/features/advanced-usage/custom-rate-limits
"""

import math
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from schemas.errors import Rejected
from schemas.event import RequestTags
from schemas.limit import LimitPolicy, LimitUnit, RateLimit, Taken
from services.token_bucket import seconds_until

MIN_WINDOW_S: Final = 60
MAX_WINDOW_S: Final = 31_536_000
USER: Final = "user"
_GLOBAL: Final = "global"
_POLICY: Final = re.compile(
    r"(\d{1,12}(?:\.\d{1,6})?);w=(\d{1,8})(?:;u=(request|cents|tokens))?(?:;s=([\w-]{1,200}))?",
    re.IGNORECASE | re.ASCII,
)


class LimitNotApplicable(Rejected):
    """The request asks for a limit that cannot be applied to it."""

    code = "invalid_rate_limit"
    reason = ""  # for the header that tells the client


class InvalidPolicy(LimitNotApplicable):
    reason = "invalid_policy"


class MissingSegment(LimitNotApplicable):
    """The request does not say whose bucket it is."""

    code = "missing_rate_limit_segment"
    reason = "missing_segment"


def parse_policy(text: str) -> LimitPolicy:
    """The policy that `QUOTA;w=SECONDS[;u=UNIT][;s=SEGMENT]` means. Raises: InvalidPolicy."""
    found = _POLICY.fullmatch(text.strip())
    if found is None:
        raise InvalidPolicy(
            "Helicone-RateLimit-Policy must be QUOTA;w=SECONDS, with ;u=request, ;u=cents or ;u=tokens and "
            ";s=user or ;s=PROPERTY behind it"
        )
    quota, window_s = Decimal(found[1]), int(found[2])
    if quota == 0:
        raise InvalidPolicy("the quota of Helicone-RateLimit-Policy must be above 0")
    if not MIN_WINDOW_S <= window_s <= MAX_WINDOW_S:
        raise InvalidPolicy(f"w of Helicone-RateLimit-Policy must be {MIN_WINDOW_S} to {MAX_WINDOW_S} seconds")
    segment = (found[4] or "").lower()
    return LimitPolicy(
        quota=quota,
        window_s=window_s,
        unit=LimitUnit((found[3] or "request").lower()),
        segment="" if segment == _GLOBAL else segment,
    )


def policy_text(policy: LimitPolicy) -> str:
    """`policy` as a header says it, without what goes without saying."""
    unit = "" if policy.unit is LimitUnit.REQUEST else f";u={policy.unit}"
    segment = f";s={policy.segment}" if policy.segment else ""
    return f"{_plain(policy.quota)};w={policy.window_s}{unit}{segment}"


def limit_of(text: str, organization_id: str, tags: RequestTags) -> RateLimit:
    """The limit that the header's value `text` puts on a request with `tags`. Raises: LimitNotApplicable."""
    policy = parse_policy(text)
    value = _segment_value(policy.segment, tags) if policy.segment else ""
    return RateLimit(policy=policy, bucket="\0".join((organization_id, policy.unit, policy.segment, value)))


def _segment_value(segment: str, tags: RequestTags) -> str:
    if segment == USER:
        value = tags.user_id or tags.default_user_id
        header = "Helicone-User-Id"
    else:
        value = _property(tags.properties, segment)
        header = f"Helicone-Property-{segment}"
    if not value:
        raise MissingSegment(f"Helicone-RateLimit-Policy limits by {segment}, and the request has no {header}")
    return value


def _property(properties: Mapping[str, str], name: str) -> str | None:
    return next((value for spelled, value in properties.items() if spelled.lower() == name), None)


def limit_headers(policy: LimitPolicy, taken: Taken) -> tuple[tuple[bytes, bytes], ...]:
    """What the response says about the limit. `Reset` are the seconds until the bucket is full."""
    reset_s = math.ceil(seconds_until(float(policy.quota), taken.level, policy))
    return (
        (b"Helicone-RateLimit-Limit", _plain(policy.quota).encode()),
        (b"Helicone-RateLimit-Remaining", b"%d" % max(0, math.floor(taken.level))),
        (b"Helicone-RateLimit-Policy", policy_text(policy).encode()),
        *(((b"Helicone-RateLimit-Reset", b"%d" % reset_s),) if reset_s > 0 else ()),
    )


def _plain(quota: Decimal) -> str:
    return f"{quota.normalize():f}"
