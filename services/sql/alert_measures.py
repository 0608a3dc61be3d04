"""What an alert's metric is over the requests of a window: figures of which those of parts of the window make it up."""

from decimal import Decimal
from enum import StrEnum
from typing import Final

import msgspec

from schemas.alert import Aggregation, AlertMetric
from schemas.usage import COUNTS
from services.sql.measures import MEASURES, Measure

_WITH_USAGE: Final = "usage_source != 'none'"


class Fold(StrEnum):
    """How the figures of parts of a window become that of the window."""

    ADD = "add"
    MIN = "min"
    MAX = "max"
    NONE = "none"  # they do not: the window has to be read


class AlertMeasures(msgspec.Struct, frozen=True, kw_only=True):
    """A figure, which is divided by another one where there is one."""

    figure: Measure
    divisor: Measure | None = None
    fold: Fold = Fold.ADD

    @property
    def measures(self) -> tuple[Measure, ...]:
        """What is read, each once: first the number of requests."""
        parts = (MEASURES["requests"], self.figure, *(() if self.divisor is None else (self.divisor,)))
        return tuple({measure.name: measure for measure in parts}.values())


_REQUESTS: Final = MEASURES["requests"]
_RATES: Final = {
    AlertMetric.ERROR_RATE: (MEASURES["errors"], _REQUESTS),
    AlertMetric.CACHE_HIT_RATE: (MEASURES["cache_hits"], MEASURES["cache_requests"]),
    AlertMetric.UNPRICED_SHARE: (MEASURES["unpriced_requests"], MEASURES["attempts"]),
    AlertMetric.MARGIN_RATIO: (MEASURES["margin_usd"], MEASURES["value_usd"]),
}
_SUMS: Final = {
    AlertMetric.COST: "cost_usd",
    AlertMetric.REQUESTS: "requests",
    AlertMetric.ERRORS: "errors",
    AlertMetric.MARGIN: "margin_usd",
}
# What one request has, and which requests have it.
_OF_ONE: Final = {
    AlertMetric.COST: ("cost_usd", "cost_usd IS NOT NULL"),
    AlertMetric.LATENCY: ("latency_ms", "is_call"),
    AlertMetric.TIME_TO_FIRST_TOKEN: ("time_to_first_token_ms", "is_call AND time_to_first_token_ms IS NOT NULL"),
}


def alert_measures(metric: AlertMetric, aggregation: Aggregation, percentile: Decimal | None = None) -> AlertMeasures:
    """Of a metric and an aggregation that it has."""
    if metric in _RATES:
        figure, divisor = _RATES[metric]
        return AlertMeasures(figure=figure, divisor=divisor)
    if aggregation is Aggregation.SUM:
        return AlertMeasures(figure=MEASURES[_SUMS.get(metric, metric.value)])
    sql, known = _OF_ONE.get(metric) or (f"({' + '.join(COUNTS[metric.value])})", _WITH_USAGE)
    match aggregation:
        case Aggregation.AVERAGE:
            count = _measure(metric, "known", f"countIf({known})")
            return AlertMeasures(figure=_measure(metric, "sum", f"sumIf({sql}, {known})"), divisor=count)
        case Aggregation.MIN:
            return AlertMeasures(
                figure=_measure(metric, "min", _where_any(f"minIf({sql}, {known})", known)), fold=Fold.MIN
            )
        case Aggregation.MAX:
            return AlertMeasures(
                figure=_measure(metric, "max", _where_any(f"maxIf({sql}, {known})", known)), fold=Fold.MAX
            )
        case Aggregation.PERCENTILE:
            level = (percentile if percentile is not None else Decimal(50)) / 100
            quantile = _where_any(f"quantileExactIf({level:f})({sql}, {known})", known)
            return AlertMeasures(figure=_measure(metric, f"p{level:f}", quantile), fold=Fold.NONE)


def _where_any(sql: str, known: str) -> str:
    return f"if(countIf({known}) = 0, NULL, {sql})"


def _measure(metric: AlertMetric, name: str, sql: str) -> Measure:
    return Measure(name=f"alert_{name}", sql=sql, unit=metric.value, meaning="of an alert")
