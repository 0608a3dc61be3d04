"""Builders of notices: what a test does not say is ordinary."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

from schemas.notice import Change, Driver, Notice, NoticeKind, NoticeLevel, NoticeSource, NoticeUnit
from tests.builders.records import TIMESTAMP

DAY = timedelta(days=1)


def a_notice(notice_id: str = "a-notice", **changed: Any) -> Notice:
    """Of an alert on a day's cost that fires, unless `changed` says otherwise."""
    given: dict[str, Any] = {
        "notice_id": notice_id,
        "organization_id": "acme",
        "source": NoticeSource.ALERT,
        "source_id": "0b7e5d2a-3c64-4f0e-9a55-0d3c1f1f7d11",
        "name": "Daily cost",
        "kind": NoticeKind.FIRING,
        "level": NoticeLevel.WARNING,
        "created_at": TIMESTAMP,
        "group": {"Environment": "production"},
        "metric": "cost",
        "unit": NoticeUnit.USD,
        "value": Decimal("412.345678"),
        "threshold": Decimal(400),
        "threshold_label": "80 % of $500",
        "window_start": TIMESTAMP - DAY,
        "window_end": TIMESTAMP,
        "zone": "Europe/Berlin",
        "complete_until": TIMESTAMP,
        "drivers": (
            Driver(dimension="user", value="user-789", amount=Decimal("201.5"), share=Decimal("0.489")),
            Driver(dimension="feature", value="document-analysis", amount=Decimal(150), share=Decimal("0.364")),
            Driver(dimension="model", value="gpt-4o", amount=Decimal("310.25"), share=Decimal("0.752")),
        ),
        "changes": (
            Change(cause="more requests", amount=Decimal("95.5")),
            Change(cause="more expensive models", amount=Decimal("22.25")),
        ),
        "link_path": "/dashboard/alerts/0b7e5d2a-3c64-4f0e-9a55-0d3c1f1f7d11",
    }
    return Notice(**given | changed)
