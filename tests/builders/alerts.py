"""Builders of alerts: what a test does not say is ordinary."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from schemas.alert import Aggregation, Alert, AlertMetric, AlertRule, AlertState, AlertWindow, CalendarUnit, Threshold

START = datetime(2026, 11, 1, tzinfo=UTC)
DAILY = AlertWindow(calendar=CalendarUnit.DAY)


def thresholds(*values: int | str) -> tuple[Threshold, ...]:
    """The last one is critical, the others warn."""
    last = len(values) - 1
    return tuple(
        Threshold(value=Decimal(value), level=AlertState.CRITICAL if at == last else AlertState.WARNING)
        for at, value in enumerate(values)
    )


def a_rule(*values: int | str, **changed: Any) -> AlertRule:
    """A day's cost against `values`, by default 100 dollars, unless `changed` says otherwise."""
    given: dict[str, Any] = {
        "metric": AlertMetric.COST,
        "aggregation": Aggregation.SUM,
        "thresholds": thresholds(*(values or (100,))),
        "window": DAILY,
    }
    return AlertRule(**given | changed)


def an_alert(*values: int | str, organization_id: str = "acme", **changed: Any) -> Alert:
    """Fields of the alert or of its rule."""
    of_alert = {name: changed.pop(name) for name in list(changed) if name in Alert.__struct_fields__}
    given: dict[str, Any] = {
        "id": "0b7e5d2a-3c64-4f0e-9a55-0d3c1f1f7d11",
        "organization_id": organization_id,
        "name": "Daily cost",
        "rule": a_rule(*values, **changed),
        "created_at": START,
        "updated_at": START,
        "active_since": START,
    }
    return Alert(**given | of_alert)
