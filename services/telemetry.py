"""What the processes count, and how Prometheus is shown it."""

import re
from bisect import bisect_left
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import partial
from typing import Final, Literal, get_args

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from services.health import Health

Counter = Literal[
    "proxy_requests_total",
    "proxy_refused_total",
    "proxy_unauthenticated_passthrough_total",
    "proxy_logged_total",
    "proxy_ids_replaced_total",
    "proxy_strict_cut_total",
    "proxy_bodies_dropped_total",
    "proxy_bodies_truncated_total",
    "proxy_stream_usage_injected_total",
    "proxy_drained_total",
    "proxy_drain_refused_total",
    "proxy_drain_cut_total",
    "log_published_total",
    "log_durable_total",
    "log_write_failures_total",
    "log_unreadable_total",
    "log_uncovered_total",
    "log_recovered_total",
    "log_lost_total",
    "worker_events_total",
    "worker_rows_total",
    "worker_dead_letters_total",
    "worker_log_conflicts_total",
    "worker_retries_total",
    "accounting_restarts_total",
]
Timing = Literal["log_durable_seconds"]

HELP: Final[Mapping[str, str]] = {
    "proxy_requests_total": "Requests that were passed on to a provider",
    "proxy_refused_total": "Requests that Farebox itself refused with an error",
    "proxy_unauthenticated_passthrough_total": "Requests passed on without a valid key: their spend is in no total",
    "proxy_logged_total": "Calls that their clients logged afterwards; none of them was sent to a provider",
    "proxy_ids_replaced_total": "Requests that got a new id, as another one had theirs in the same millisecond",
    "proxy_strict_cut_total": "Responses cut off at their end, as their event was not durable in time",
    "proxy_bodies_dropped_total": "Bodies that were not kept, as too much was in flight",
    "proxy_bodies_truncated_total": "Bodies cut at the capture limit; of responses the end is kept all the same",
    "proxy_stream_usage_injected_total": "Streams that report their usage because the proxy set include_usage",
    "proxy_drained_total": "Responses read on after their client had disconnected",
    "proxy_drain_refused_total": "Responses not read on after a disconnect, as too many were",
    "proxy_drain_cut_total": "Responses not read to their end after a disconnect: too long, too large, or at a stop",
    "proxy_unknown_headers_total": "Requests with a Helicone header that has no meaning, by its name",
    "log_published_total": "Events handed to the event log",
    "log_durable_total": "Events that the event log has made durable",
    "log_write_failures_total": "Attempts to write the journal that failed; their events wait in memory",
    "log_unreadable_total": "Events of damaged journal files that could not be read: in no total until salvaged",
    "log_uncovered_total": "Events that a killed process would have lost: in no intake file, or not yet",
    "log_recovered_total": "Events of killed processes that were made durable here",
    "log_lost_total": "Events given up: their spend is in no total",
    "log_durable_seconds": "From the end of a response until its event is durable",
    "worker_events_total": "Entries taken from the event log",
    "worker_rows_total": "Rows inserted into the warehouse",
    "worker_dead_letters_total": "Entries dead-lettered",
    "worker_log_conflicts_total": "Logged calls dead-lettered, as they would replace what they may not",
    "worker_retries_total": "Batches retried, as the warehouse or the event log was unavailable",
    "accounting_restarts_total": "Times that the accounting process of farebox up ended by itself and was restarted",
    "accounting": "1 while events are counted inside this process, as in farebox up, else 0",
    "troubles": "Parts of this process that do not do their work now",
    "warnings": "What works and needs an operator all the same, such as a damaged journal file",
}

# What each of the services exports; a process that is several of them exports all.
_HEALTH: Final = frozenset({"troubles", "warnings"})
_LOG: Final = frozenset(name for name in HELP if name.startswith("log_"))
PROXY_METRICS: Final = frozenset(name for name in HELP if name.startswith(("proxy_", "accounting"))) | _LOG | _HEALTH
WORKER_METRICS: Final = (
    frozenset(name for name in HELP if name.startswith("worker_")) | _HEALTH | {"log_unreadable_total"}
)
# It takes logged calls, by the proxy's code.
QUERY_METRICS: Final = (
    _LOG
    | _HEALTH
    | {
        "proxy_refused_total",
        "proxy_logged_total",
        "proxy_bodies_dropped_total",
        "proxy_bodies_truncated_total",
        "proxy_unknown_headers_total",
    }
)

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"  # of `exposition()`

MAX_HEADER_NAMES: Final = 100  # that are counted by themselves
OTHER_HEADERS: Final = "other"
_HEADER_NAME: Final = re.compile(r"[a-z0-9_.-]{1,80}")

_BOUNDS_S: Final = (0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Histogram:
    """Durations counted by upper bound in seconds.

    The library's own takes a lock and a search for each of them, which is too slow for each request.
    """

    __slots__ = ("_count", "_sum_s", "_within")

    def __init__(self) -> None:
        self._within = [0] * len(_BOUNDS_S)
        self._count = 0
        self._sum_s = 0.0

    def observe(self, began_s: Sequence[float], ended_s: float) -> None:
        """What began at these times, in ascending order, ended at once. One search for each bound, not for each."""
        count = len(began_s)
        # Threads share a histogram, and a call within an addition lets another one add between: computed first.
        within = [count - bisect_left(began_s, ended_s - bound_s) for bound_s in _BOUNDS_S]
        seconds = count * ended_s - sum(began_s)
        for place, more in enumerate(within):
            self._within[place] += more
        self._count += count
        self._sum_s += seconds

    def family(self, name: str, help_text: str) -> HistogramMetricFamily:
        """As Prometheus is shown it."""
        buckets = [(str(bound_s), float(within)) for bound_s, within in zip(_BOUNDS_S, self._within, strict=True)]
        return HistogramMetricFamily(name, help_text, [*buckets, ("+Inf", float(self._count))], self._sum_s)


class Metrics:
    """Counters of one process, and its health. Adding is one dictionary operation, since it is done on the hot path.

    A custom collector for prometheus-client: counts are read when Prometheus scrapes.
    """

    def __init__(self, exported: Collection[str] = frozenset(HELP)) -> None:
        """`exported`: names out of `HELP`, by default all. The others are counted and not shown."""
        self.health = Health()
        self.worker_inside = False  # as `farebox up` has it
        self._exported = exported
        self._counts: dict[str, int] = dict.fromkeys(get_args(Counter), 0)
        self._timings: dict[str, Histogram] = {name: Histogram() for name in get_args(Timing)}
        self._unknown_headers: dict[str, int] = {}

    def add(self, name: Counter, count: int = 1) -> None:
        self._counts[name] += count

    def observe(self, name: Timing, began_s: Sequence[float], ended_s: float) -> None:
        """`began_s` in ascending order, on the clock of `ended_s`."""
        self._timings[name].observe(began_s, ended_s)

    def get(self, name: Counter) -> int:
        return self._counts[name]

    def add_unknown_header(self, name: str) -> None:
        """A request had a header `name`, in lower case, that has no meaning. Odd and further names count as one."""
        counts = self._unknown_headers
        if name not in counts and (len(counts) >= MAX_HEADER_NAMES or not _HEADER_NAME.fullmatch(name)):
            name = OTHER_HEADERS
        counts[name] = counts.get(name, 0) + 1

    def exposition(self) -> str:
        """All that is exported, in the Prometheus text format of `CONTENT_TYPE`; names begin with `farebox_`."""
        registry = CollectorRegistry()
        registry.register(self)
        return generate_latest(registry).decode()

    def collect(self) -> Iterator[Metric]:
        """What prometheus-client calls for."""
        return (family(f"farebox_{name}", HELP[name]) for name, family in self._families() if name in self._exported)

    def _families(self) -> Iterator[tuple[str, Callable[[str, str], Metric]]]:
        for name, count in self._counts.items():
            yield name, partial(CounterMetricFamily, value=count)
        yield "proxy_unknown_headers_total", self._unknown_headers_family
        for name, value in self._gauges().items():
            yield name, partial(GaugeMetricFamily, value=value)
        for name, timing in self._timings.items():
            yield name, timing.family

    def _unknown_headers_family(self, name: str, help_text: str) -> Metric:
        headers = CounterMetricFamily(name, help_text, labels=["name"])
        for header, count in self._unknown_headers.copy().items():
            headers.add_metric([header], count)
        return headers

    def _gauges(self) -> Mapping[str, int]:
        return {
            "accounting": int(self.worker_inside),
            "troubles": len(self.health.troubles),
            "warnings": len(self.health.current_warnings()),
        }
