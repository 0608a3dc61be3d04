"""Alerts of the demo: one that fires, one for each user, one that is calm, and one that is silent for a reason."""

from typing import Any, Final

from services.cli.client import QueryApi

_PATH: Final = "/v1/alert"
_DAY_MS: Final = 86_400_000

ALERTS: Final[tuple[dict[str, Any], ...]] = (
    {
        "name": "Weekly budget",
        "metric": "cost",
        "threshold": 400,
        "thresholds": [{"percent": 50}, {"percent": 80}, {"percent": 95}, {"percent": 100}],
        "time_window": 7 * _DAY_MS,
        "filter": {"request_response_rmt": {"properties": {"Environment": {"equals": "production"}}}},
        "emails": ["finance@example.com"],
    },
    {
        "name": "Expensive users",
        "metric": "cost",
        "thresholds": [{"value": 15}, {"value": 40}],
        "time_window": 7 * _DAY_MS,
        "by": [{"column": "user_id"}],
    },
    {
        "name": "Errors",
        "metric": "error_rate",
        "threshold": 10,
        "time_window": _DAY_MS,
        "minimum_request_count": 50,
        "emails": ["on-call@example.com"],
    },
    {
        # The guide's example of a filter that nothing fulfils: the value is called production.
        "name": "Production by another name",
        "metric": "cost",
        "threshold": 100,
        "time_window": _DAY_MS,
        "filter": {"request_response_rmt": {"properties": {"Environment": {"equals": "prod"}}}},
    },
)


def add_alerts(api: QueryApi) -> None:
    """Those that are not there from an earlier demo. Raises: NoResponse."""
    known = {one["name"] for one in api.get(f"{_PATH}/query")["alerts"]}
    for alert in ALERTS:
        if alert["name"] not in known:
            api.post_whole(f"{_PATH}/create", alert)
