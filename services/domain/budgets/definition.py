"""What an operator writes of a budget -> the row, checked once."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from msgspec.structs import replace

from schemas.budget import Budget, BudgetAction, Override, Period, Segment
from schemas.errors import InvalidRequest
from services.domain.budgets.amounts import MAX_LIMIT_USD, limit_nano

MIN_WINDOW_S: Final = 60
MAX_WINDOW_S: Final = 366 * 86_400
MAX_THRESHOLDS: Final = 20
MAX_CONDITIONS: Final = 10
MAX_CHARACTERS: Final = 512  # of a value, as of a name of a user
MAX_BUDGETS: Final = 1_000  # of an organization
_NAME: Final = re.compile(r"\S(.{0,98}\S)?")


def checked_budget(budget: Budget) -> Budget:
    """`budget` with names of properties in lower case. Raises: InvalidRequest, which names what is wrong."""
    if not _NAME.fullmatch(budget.name):
        raise InvalidRequest("name must have 1 to 100 characters, and no space at its ends")
    check_limit(budget.limit_usd)
    _check_segment(budget)
    _check_period(budget)
    if (budget.action is BudgetAction.FALLBACK) != bool(budget.fallback_model):
        raise InvalidRequest("fallback_model is given exactly where action is fallback")
    return replace(
        budget,
        property=budget.property.lower(),
        where=_conditions(budget.where),
        thresholds=_thresholds(budget.thresholds),
    )


def check_limit(limit_usd: Decimal) -> None:
    """Raises: InvalidRequest unless it is an amount that counters can hold."""
    if not limit_usd.is_finite() or not 0 < limit_usd <= MAX_LIMIT_USD or limit_nano(limit_usd) == 0:
        raise InvalidRequest(f"limit_usd must be above 0, whole in nanodollars, and at most {MAX_LIMIT_USD:,}")


def overridden(budget: Budget, limit_usd: Decimal, until: datetime, at: datetime) -> Budget:
    """`budget` with another limit until then. Raises: InvalidRequest."""
    check_limit(limit_usd)
    if until.tzinfo is None or until <= at:
        raise InvalidRequest("until must be a timestamp with a time zone, and later than now")
    return replace(budget, override=Override(limit_usd=limit_usd, until=until), changed_at=at)


def _check_segment(budget: Budget) -> None:
    if (budget.segment is Segment.PROPERTY) != bool(budget.property):
        raise InvalidRequest("property, a name, is given exactly where segment is property")
    if budget.segment is Segment.ORGANIZATION and budget.value:
        raise InvalidRequest("value names one key, user, session or value of a property: an organization has none")
    if max(map(len, (budget.value, budget.property, budget.fallback_model))) > MAX_CHARACTERS:
        raise InvalidRequest(f"value, property and fallback_model have {MAX_CHARACTERS} characters at most")


def _check_period(budget: Budget) -> None:
    if (budget.period is Period.ROLLING) != bool(budget.window_s):
        raise InvalidRequest("window_s is given exactly where period is rolling")
    if budget.window_s and not MIN_WINDOW_S <= budget.window_s <= MAX_WINDOW_S:
        raise InvalidRequest(f"window_s must be {MIN_WINDOW_S} to {MAX_WINDOW_S} seconds")
    try:
        ZoneInfo(budget.time_zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise InvalidRequest(f"time_zone {budget.time_zone[:64]!r} is no IANA name, such as Europe/Berlin") from None


def _conditions(where: Mapping[str, str]) -> dict[str, str]:
    conditions = {name.strip().lower(): value for name, value in where.items()}
    if len(conditions) != len(where) or len(where) > MAX_CONDITIONS:
        raise InvalidRequest(f"where names up to {MAX_CONDITIONS} properties, each once in any spelling")
    if not all(0 < len(text) <= MAX_CHARACTERS for pair in conditions.items() for text in pair):
        raise InvalidRequest(f"names and values of where have 1 to {MAX_CHARACTERS} characters")
    return conditions


def _thresholds(percents: Sequence[int]) -> tuple[int, ...]:
    if len(percents) > MAX_THRESHOLDS or not all(0 < percent <= 1_000 for percent in percents):
        raise InvalidRequest(f"thresholds are up to {MAX_THRESHOLDS} percents, each 1 to 1000")
    return tuple(sorted(set(percents)))
