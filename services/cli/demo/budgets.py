"""Budgets of the demo: one that is nearly used up, and one for each free user. Neither refuses a request."""

from typing import Any, Final

from services.cli.client import QueryApi

_PATH: Final = "/v1/budgets"
_FOUR_WEEKS_S: Final = 28 * 86_400  # as the history: on each day of a month it has something to show

BUDGETS: Final[tuple[dict[str, Any], ...]] = (
    {
        "name": "Production",
        "limit_usd": 1_900,
        "where": {"Environment": "production"},
        "period": "rolling",
        "window_s": _FOUR_WEEKS_S,
        "action": "notify",
        "thresholds": [50, 80, 100],
    },
    {
        "name": "Free tier",
        "limit_usd": 100,
        "segment": "user",
        "where": {"UserTier": "free"},
        "period": "rolling",
        "window_s": _FOUR_WEEKS_S,
        "action": "block",
        "mode": "shadow",
    },
)


def add_budgets(api: QueryApi) -> None:
    """Those that are not there from an earlier demo. Raises: NoResponse."""
    known = {one["name"] for one in api.get(_PATH)}
    for budget in BUDGETS:
        if budget["name"] not in known:
            api.post(_PATH, budget)
