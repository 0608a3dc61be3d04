"""What can be watched: units, words, and which aggregations there are."""

from collections.abc import Mapping
from typing import Final

import msgspec

from schemas.alert import Aggregation, AlertMetric
from schemas.notice import NoticeUnit

_OF_VALUES: Final = tuple(Aggregation)
_SUM: Final = (Aggregation.SUM,)


class MetricFacts(msgspec.Struct, frozen=True):
    """`aggregations` begins with the usual one. A sum that `grows` is never lower when more requests are known."""

    name: str  # in words
    unit: NoticeUnit
    aggregations: tuple[Aggregation, ...] = _SUM
    grows: bool = False


_DURATIONS: Final = (Aggregation.AVERAGE, Aggregation.PERCENTILE, Aggregation.MIN, Aggregation.MAX)


def _tokens(name: str) -> MetricFacts:
    return MetricFacts(name, NoticeUnit.COUNT, _OF_VALUES, grows=True)


METRICS: Final[Mapping[AlertMetric, MetricFacts]] = {
    AlertMetric.COST: MetricFacts("cost", NoticeUnit.USD, _OF_VALUES, grows=True),
    AlertMetric.REQUESTS: MetricFacts("requests", NoticeUnit.COUNT, grows=True),
    AlertMetric.TOTAL_TOKENS: _tokens("total tokens"),
    AlertMetric.PROMPT_TOKENS: _tokens("prompt tokens"),
    AlertMetric.COMPLETION_TOKENS: _tokens("completion tokens"),
    AlertMetric.CACHE_READ_TOKENS: _tokens("prompt cache read tokens"),
    AlertMetric.CACHE_WRITE_TOKENS: _tokens("prompt cache write tokens"),
    AlertMetric.ERRORS: MetricFacts("errors", NoticeUnit.COUNT, grows=True),
    AlertMetric.ERROR_RATE: MetricFacts("error rate", NoticeUnit.SHARE),
    AlertMetric.LATENCY: MetricFacts("latency", NoticeUnit.MILLISECONDS, _DURATIONS),
    AlertMetric.TIME_TO_FIRST_TOKEN: MetricFacts("time to first token", NoticeUnit.MILLISECONDS, _DURATIONS),
    AlertMetric.CACHE_HIT_RATE: MetricFacts("cache hit rate", NoticeUnit.SHARE),
    AlertMetric.UNPRICED_SHARE: MetricFacts("share of unpriced requests", NoticeUnit.SHARE),
    AlertMetric.MARGIN: MetricFacts("margin", NoticeUnit.USD),
    AlertMetric.MARGIN_RATIO: MetricFacts("margin ratio", NoticeUnit.SHARE),
}


def grows(metric: AlertMetric, aggregation: Aggregation) -> bool:
    """Whether more requests can make the value larger only: what is reached before all are known stays reached."""
    return METRICS[metric].grows and aggregation in (Aggregation.SUM, Aggregation.MAX)
