"""`farebox alerts change` sends an alert back as the API shows it: what is not changed is the same afterwards."""

from decimal import Decimal
from typing import Any, Final

import msgspec
import pytest

from schemas.alert import AlertProgress, AlertRule, AlertState
from schemas.api.alerts import AlertRequest
from schemas.errors import InvalidRequest
from services.cli.alerts.change import changed_body
from services.query.alerts.rules import rule_from
from services.query.alerts.views import alert_view
from tests.builders.alerts import an_alert

ANOMALY: Final[dict[str, Any]] = {"metric": "cost", "condition": "anomaly"}
RULES: Final[list[dict[str, Any]]] = [
    ANOMALY | {"level": "CRITICAL"},
    ANOMALY,
    {"metric": "cost", "threshold": "16", "level": "WARNING"},
    {"metric": "cost", "thresholds": [{"value": 8, "level": "CRITICAL"}, {"value": 16, "level": "WARNING"}]},
    {"metric": "cost", "threshold": 500, "thresholds": [{"percent": 100}, {"percent": 1000}]},
    {"metric": "cost", "threshold": 1500, "thresholds": [{"percent": "33.3333333333"}]},
    {"metric": "cost", "threshold": 10**9, "thresholds": [{"percent": "1e-8", "level": "CRITICAL"}]},
    {"metric": "error_rate", "threshold": 5, "thresholds": [{"percent": 50}, {"percent": 100}]},
    {"metric": "margin", "threshold": -1000, "direction": "below", "thresholds": [{"percent": 50}]},
]


def over_http(body: dict[str, Any]) -> Any:
    encoded = msgspec.json.Encoder(decimal_format="number").encode(body)
    return msgspec.json.Decoder(float_hook=Decimal).decode(encoded)


def rule(body: dict[str, Any]) -> AlertRule:
    return rule_from(AlertRequest.model_validate(body), "acme")


def shown(given: AlertRule) -> dict[str, Any]:
    """As the command line reads it."""
    view = alert_view(an_alert(rule=given), AlertProgress(), None, ())
    read: dict[str, Any] = over_http(view.model_dump(by_alias=True))
    return read


@pytest.mark.parametrize("body", RULES, ids=range(len(RULES)))
def test_an_alert_that_is_sent_back_is_the_same(body: dict[str, Any]) -> None:
    before = rule({"name": "Spend"} | body)
    sent = changed_body(shown(before), {"cooldown_s": 600}, "", "")
    assert rule(over_http(sent)) == msgspec.structs.replace(before, cooldown_s=600)


def test_percents_of_nothing_are_a_value() -> None:
    half = {
        "metric": "margin",
        "threshold": 0,
        "direction": "below",
        "thresholds": [{"percent": 50, "level": "WARNING"}],
    }
    (step,) = rule(over_http(changed_body(shown(rule({"name": "Spend"} | half)), {}, "", ""))).thresholds
    assert (step.value, step.level) == (Decimal(0), AlertState.WARNING)


def test_an_anomaly_takes_no_threshold() -> None:
    sent = changed_body(shown(rule({"name": "Spend"} | ANOMALY)), {}, "20", "")
    with pytest.raises(InvalidRequest, match="an anomaly is what is unusual, and has none"):
        rule(over_http(sent))
