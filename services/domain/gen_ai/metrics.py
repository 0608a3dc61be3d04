"""Rows as OpenTelemetry's metrics: histograms and sums since the process began, by operation, provider, model, server
and error.

Sources: https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-metrics/ (names, units, bounds),
https://github.com/open-telemetry/opentelemetry-proto/blob/main/opentelemetry/proto/metrics/v1/metrics.proto
"""

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Final

from schemas.event import Outcome
from schemas.record import RequestRecord
from services.domain.gen_ai import protobuf
from services.domain.gen_ai.call import ModelCall, call_attributes, has_usage
from services.domain.gen_ai.protobuf import Attribute
from services.domain.gen_ai.span import usage_attributes

MAX_SERIES: Final = 1000  # of each metric: models are named by clients, and what is beyond is one more

_DURATION_BOUNDS_S: Final = tuple(0.01 * 2**power for power in range(14))
_FIRST_CHUNK_BOUNDS_S: Final = (
    *(0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75),
    *(1.0, 2.5, 5.0, 7.5, 10.0),
)
_TOKEN_BOUNDS: Final = tuple(float(4**power) for power in range(14))
_CUMULATIVE: Final = 2
_OTHER: Final = "_OTHER"


class _Distribution:
    __slots__ = ("bounds", "counts", "sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def add(self, value: float) -> None:
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value


class _Series:
    """Of one kind of call."""

    __slots__ = ("cost_usd", "duration", "first_chunk", "input", "output", "unpriced")

    def __init__(self) -> None:
        self.duration = _Distribution(_DURATION_BOUNDS_S)
        self.first_chunk = _Distribution(_FIRST_CHUNK_BOUNDS_S)
        self.input = _Distribution(_TOKEN_BOUNDS)
        self.output = _Distribution(_TOKEN_BOUNDS)
        self.cost_usd = Decimal(0)
        self.unpriced = 0


class CallMetrics:
    """Of one process, since `began_ns`: Unix time."""

    def __init__(self, began_ns: int) -> None:
        self._began_ns = began_ns
        self._series: dict[ModelCall, _Series] = {}

    def add(self, record: RequestRecord, call: ModelCall) -> None:
        """Hits of the response cache called nobody, and are in none."""
        if record.outcome is Outcome.CACHED:
            return
        series = self._series_of(call)
        series.duration.add(record.latency_ms / 1000)
        if record.time_to_first_token_ms is not None:
            series.first_chunk.add(record.time_to_first_token_ms / 1000)
        if has_usage(record):
            usage = usage_attributes(record)
            series.input.add(usage["gen_ai.usage.input_tokens"])
            series.output.add(usage["gen_ai.usage.output_tokens"])
        if record.cost_usd is None:
            series.unpriced += 1
        else:
            series.cost_usd += record.cost_usd

    def _series_of(self, call: ModelCall) -> _Series:
        if call not in self._series and len(self._series) >= MAX_SERIES:
            call = ModelCall(call.operation, _OTHER, _OTHER, _OTHER, "", 0, "")
        return self._series.setdefault(call, _Series())

    def encode(self, resource: bytes, scope: bytes, now_ns: int) -> bytes | None:
        """An ExportMetricsServiceRequest; None where nothing was added yet."""
        if not self._series:
            return None
        found = b"".join(protobuf.message(2, metric) for metric in self._metrics(now_ns))
        return protobuf.message(
            1, protobuf.message(1, resource) + protobuf.message(2, protobuf.message(1, scope) + found)
        )

    def _metrics(self, now_ns: int) -> Iterator[bytes]:
        span_ns = protobuf.fixed64(2, self._began_ns) + protobuf.fixed64(3, now_ns)
        shared = [(call_attributes(call), series) for call, series in self._series.items()]
        durations = [_point(span_ns, own, series.duration) for own, series in shared]
        yield _histogram("gen_ai.client.operation.duration", "s", "Duration of calls of models", durations)
        chunks = [_point(span_ns, own, series.first_chunk) for own, series in shared]
        name = "gen_ai.client.operation.time_to_first_chunk"
        yield _histogram(name, "s", "Time until the response of a streamed call begins", chunks)
        tokens = [
            _point(span_ns, {**own, "gen_ai.token.type": kind}, used)
            for own, series in shared
            for kind, used in (("input", series.input), ("output", series.output))
        ]
        yield _histogram("gen_ai.client.token.usage", "{token}", "Tokens of a call, by type", tokens)
        costs = [
            span_ns + protobuf.double(4, float(series.cost_usd)) + protobuf.attributes(7, own) for own, series in shared
        ]
        yield _sum("farebox.cost", "USD", "What calls of models cost, as far as it is known", costs)
        unpriced = [
            span_ns + protobuf.fixed64(6, series.unpriced) + protobuf.attributes(7, own) for own, series in shared
        ]
        yield _sum("farebox.cost.unknown", "{call}", "Calls of models whose cost is unknown", unpriced)


def _point(span_ns: bytes, own: Mapping[str, Attribute], values: _Distribution) -> bytes:
    """A HistogramDataPoint; b'' where nothing was added."""
    count = sum(values.counts)
    if not count:
        return b""
    return b"".join(
        (
            span_ns,
            protobuf.fixed64(4, count),
            protobuf.double(5, values.sum),
            protobuf.packed_fixed64(6, values.counts),
            protobuf.packed_double(7, values.bounds),
            protobuf.attributes(9, own),
        )
    )


def _histogram(name: str, unit: str, description: str, points: Sequence[bytes]) -> bytes:
    content = b"".join(protobuf.message(1, point) for point in points if point) + protobuf.integer(2, _CUMULATIVE)
    return _head(name, unit, description) + protobuf.message(9, content)


def _sum(name: str, unit: str, description: str, points: Sequence[bytes]) -> bytes:
    content = b"".join(protobuf.message(1, point) for point in points) + protobuf.integer(2, _CUMULATIVE)
    return _head(name, unit, description) + protobuf.message(7, content + protobuf.integer(3, True))


def _head(name: str, unit: str, description: str) -> bytes:
    return protobuf.text(1, name) + protobuf.text(2, description) + protobuf.text(3, unit)
