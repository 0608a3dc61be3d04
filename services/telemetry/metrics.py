"""What the processes count, and how Prometheus is shown it."""

import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Final, Literal, get_args

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from schemas.seal import Seal
from services.telemetry.health import Health
from services.telemetry.histogram import SHORT_BOUNDS_S, Histogram

Counter = Literal[
    "proxy_requests_total",
    "proxy_refused_total",
    "proxy_unauthenticated_passthrough_total",
    "proxy_logged_total",
    "proxy_spans_ignored_total",
    "proxy_ids_replaced_total",
    "proxy_strict_cut_total",
    "proxy_bodies_dropped_total",
    "proxy_bodies_truncated_total",
    "proxy_stream_usage_injected_total",
    "proxy_drained_total",
    "proxy_drain_refused_total",
    "proxy_drain_cut_total",
    "proxy_cache_hits_total",
    "proxy_cache_hit_bytes_total",
    "proxy_cache_misses_total",
    "proxy_cache_coalesced_total",
    "proxy_cache_saved_total",
    "proxy_cache_saved_bytes_total",
    "proxy_cache_not_saved_total",
    "proxy_cache_errors_total",
    "proxy_limit_refused_total",
    "proxy_limit_skipped_total",
    "proxy_limit_unsettled_total",
    "proxy_limit_errors_total",
    "proxy_budget_refused_total",
    "proxy_budget_fallback_total",
    "proxy_budget_shadow_total",
    "proxy_budget_skipped_total",
    "proxy_budget_unsettled_total",
    "proxy_budget_errors_total",
    "proxy_retries_total",
    "proxy_retries_skipped_total",
    "proxy_circuits_opened_total",
    "log_published_total",
    "log_durable_total",
    "log_write_failures_total",
    "log_unreadable_total",
    "log_uncovered_total",
    "log_recovered_total",
    "log_lost_total",
    "worker_events_total",
    "worker_rows_total",
    "worker_amendments_total",
    "worker_dead_letters_total",
    "worker_log_conflicts_total",
    "worker_retries_total",
    "worker_otlp_sent_total",
    "worker_otlp_dropped_total",
    "accounting_restarts_total",
    "scheduler_evaluations_total",
    "scheduler_evaluation_failures_total",
    "scheduler_notices_total",
    "scheduler_reports_unreadable_total",
]

HELP: Final[Mapping[str, str]] = {
    "proxy_requests_total": "Requests that were passed on to a provider, or served from the response cache",
    "proxy_refused_total": "Requests that Farebox itself refused with an error",
    "proxy_unauthenticated_passthrough_total": "Requests passed on without a valid key: their spend is in no total",
    "proxy_logged_total": "Calls that their clients logged afterwards; none of them was sent to a provider",
    "proxy_spans_ignored_total": "Spans of OpenTelemetry that are no calls of models",
    "proxy_ids_replaced_total": "Requests that got a new id, as another one had theirs in the same millisecond",
    "proxy_strict_cut_total": "Responses cut off at their end, as their event was not durable in time",
    "proxy_bodies_dropped_total": "Bodies and events of realtime APIs not kept, as too much was in flight",
    "proxy_bodies_truncated_total": "Bodies cut at the capture limit; of responses the end is kept all the same",
    "proxy_stream_usage_injected_total": "Streams that report their usage because the proxy set include_usage",
    "proxy_drained_total": "Responses read on after their client had disconnected",
    "proxy_drain_refused_total": "Responses not read on after a disconnect, as too many were",
    "proxy_drain_cut_total": "Responses not read to their end after a disconnect: too long, too large, or at a stop",
    "proxy_cache_hits_total": "Requests served from the response cache: no provider was called",
    "proxy_cache_hit_bytes_total": "Bytes of the bodies that the response cache served",
    "proxy_cache_misses_total": "Requests that asked the response cache and went to their provider",
    "proxy_cache_coalesced_total": "Cache hits that waited for the response to an identical request",
    "proxy_cache_saved_total": "Responses saved in the response cache",
    "proxy_cache_saved_bytes_total": "Bytes of these",
    "proxy_cache_not_saved_total": "Responses not saved, as they were too large, or not whole and successful",
    "proxy_cache_errors_total": "Times that the response cache was unavailable or too slow: requests went on without",
    "proxy_limit_refused_total": "Requests refused with 429, and sessions ended, as their rate limit was used up",
    "proxy_limit_skipped_total": "Requests whose rate limit could not be applied: they passed, or were refused",
    "proxy_limit_unsettled_total": "Requests whose cost or tokens no rate limit counted, as they were unknown",
    "proxy_limit_errors_total": "Times that the server of the rate limits was unavailable or too slow",
    "proxy_budget_refused_total": "Requests refused, and sessions ended, as a budget has no room for them",
    "proxy_budget_fallback_total": "Requests sent to the cheaper model of a budget",
    "proxy_budget_shadow_total": "Requests that a budget in shadow mode would have refused, or sent to another model",
    "proxy_budget_skipped_total": "Requests whose budgets could not be checked: they passed, or were refused",
    "proxy_budget_unsettled_total": "Requests whose cost was unknown at their end: the ledger corrects their budgets",
    "proxy_budget_errors_total": "Times that budgets or their counters were unavailable or too slow",
    "proxy_retries_total": "Attempts behind the first one, at the same provider or another one",
    "proxy_retries_skipped_total": "Failures passed on though a retry was asked for: Helicone-Retry-Skipped says why",
    "proxy_circuits_opened_total": "Times that a provider's server failed again and again, and was not retried",
    "proxy_first_byte_seconds": "From a request until its response begins, by provider",
    "proxy_request_seconds": "From a request until its response has ended or was given up, by provider",
    "proxy_added_seconds": "From a request until its response begins, without the wait for its provider",
    "proxy_in_flight": "Requests whose response has not ended",
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
    "worker_amendments_total": "Properties, scores and feedback of finished requests, kept in the warehouse",
    "worker_dead_letters_total": "Entries dead-lettered",
    "worker_log_conflicts_total": "Logged calls dead-lettered, as they would replace what they may not",
    "worker_retries_total": "Batches retried, as the warehouse or the event log was unavailable",
    "worker_otlp_sent_total": "Spans of calls that a receiver of OpenTelemetry took",
    "worker_otlp_dropped_total": "Spans not sent: too many waited, they were refused, or the call was an hour old",
    "accounting_restarts_total": "Times that the accounting process of farebox up ended by itself and was restarted",
    "scheduler_evaluations_total": "Alerts that were evaluated, each once a minute",
    "scheduler_evaluation_failures_total": "Rounds of all alerts that failed, as a store was unavailable",
    "scheduler_notices_total": "Notices of alerts that were put into the outbox",
    "scheduler_reports_unreadable_total": "Scheduled reports that were due and could not be read, once an hour each",
    "scheduler_evaluated_seconds": "Unix time at which all alerts were evaluated last, by whichever scheduler",
    "deliveries_total": "Attempts to send a notice, by the kind of its channel and by what became of it",
    "accounting": "1 while events are counted inside this process, as in farebox up, else 0",
    "failures": "Parts of this process that do not do their work now",
    "totals_events_waiting": "Events that are recorded and in no total yet; none while that is unknown",
    "totals_complete_until_seconds": "Unix time until which totals hold every event that was recorded",
    "totals_lag_seconds": "Seconds from then to the last look at the event log",
    "warnings": "What works and needs an operator all the same, such as a damaged journal file",
}

# What each of the services exports; a process that is several of them exports all.
_HEALTH: Final = frozenset({"failures", "warnings"})
_TOTALS: Final = frozenset(name for name in HELP if name.startswith("totals_"))
_LOG: Final = frozenset(name for name in HELP if name.startswith("log_"))
PROXY_METRICS: Final = frozenset(name for name in HELP if name.startswith(("proxy_", "accounting"))) | _LOG | _HEALTH
WORKER_METRICS: Final = (
    frozenset(name for name in HELP if name.startswith("worker_")) | _HEALTH | _TOTALS | {"log_unreadable_total"}
)
SCHEDULER_METRICS: Final = (
    frozenset(name for name in HELP if name.startswith("scheduler_")) | _HEALTH | _TOTALS | {"deliveries_total"}
)
# It takes logged calls, by the proxy's code.
QUERY_METRICS: Final = frozenset(
    (
        *(*_LOG, *_HEALTH, *_TOTALS),
        *("proxy_refused_total", "proxy_logged_total", "proxy_spans_ignored_total", "proxy_unknown_headers_total"),
        *("proxy_bodies_dropped_total", "proxy_bodies_truncated_total", "scheduler_evaluated_seconds"),
    )
)

_SEAL: Final = "seal"

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"  # of `exposition()`

MAX_HEADER_NAMES: Final = 100  # that are counted by themselves
OTHER_HEADERS: Final = "other"
_HEADER_NAME: Final = re.compile(r"[a-z0-9_.-]{1,80}")


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
        self._durable = Histogram()
        self._added = Histogram(SHORT_BOUNDS_S)
        self._requests: defaultdict[str, Histogram] = defaultdict(Histogram)  # by provider
        self._first_bytes: defaultdict[str, Histogram] = defaultdict(Histogram)  # likewise
        self._unknown_headers: dict[str, int] = {}
        self._deliveries: dict[tuple[str, str], int] = {}
        self._seal: tuple[Seal, datetime] | None = None
        self.evaluated_at: datetime | None = None  # all alerts; None: that is not known here

    def add(self, name: Counter, count: int = 1) -> None:
        self._counts[name] += count

    def observe_durable(self, published_s: Sequence[float], durable_s: float) -> None:
        """Events became durable together; `published_s` in ascending order, on the clock of `durable_s`."""
        self._durable.add_all(published_s, durable_s)

    def observe_request(
        self, provider: str, request_s: float, first_byte_s: float | None = None, added_s: float | None = None
    ) -> None:
        """A request to `provider` has ended; the last two are None where no response began."""
        self._requests[provider].add(request_s)
        if first_byte_s is not None and added_s is not None:
            self._first_bytes[provider].add(first_byte_s)
            self._added.add(added_s)

    def get(self, name: Counter) -> int:
        return self._counts[name]

    def show_seal(self, seal: Seal, at: datetime) -> None:
        """What is known at `at` of totals: two gauges, and a warning where an operator should look."""
        self._seal = seal, at
        self.health.warnings[_SEAL] = lambda: [seal.alarm] if seal.alarm else []

    def add_unknown_header(self, name: str) -> None:
        """A request had a header `name`, in lower case, that has no meaning. Odd and further names count as one."""
        counts = self._unknown_headers
        if name not in counts and (len(counts) >= MAX_HEADER_NAMES or not _HEADER_NAME.fullmatch(name)):
            name = OTHER_HEADERS
        counts[name] = counts.get(name, 0) + 1

    def add_delivery(self, channel: str, outcome: str) -> None:
        """A notice was sent through a channel of this kind, or was not."""
        self._deliveries[channel, outcome] = self._deliveries.get((channel, outcome), 0) + 1

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
        yield "deliveries_total", self._deliveries_family
        for name, value in self._gauges().items():
            yield name, partial(GaugeMetricFamily, value=value)
        for name, known in self._totals().items():
            yield name, partial(GaugeMetricFamily, value=known)
        yield "log_durable_seconds", partial(_family, by_label={"": self._durable}, labels=())
        yield "proxy_added_seconds", partial(_family, by_label={"": self._added}, labels=())
        yield "proxy_first_byte_seconds", partial(_family, by_label=self._first_bytes.copy(), labels=("provider",))
        yield "proxy_request_seconds", partial(_family, by_label=self._requests.copy(), labels=("provider",))

    def _unknown_headers_family(self, name: str, help_text: str) -> Metric:
        headers = CounterMetricFamily(name, help_text, labels=["name"])
        for header, count in self._unknown_headers.copy().items():
            headers.add_metric([header], count)
        return headers

    def _deliveries_family(self, name: str, help_text: str) -> Metric:
        deliveries = CounterMetricFamily(name, help_text, labels=["channel", "outcome"])
        for labels, count in self._deliveries.copy().items():
            deliveries.add_metric(labels, count)
        return deliveries

    def _gauges(self) -> Mapping[str, int]:
        ended = sum(one.count for one in self._requests.copy().values())
        return {
            "accounting": int(self.worker_inside),
            "proxy_in_flight": self._counts["proxy_requests_total"] - ended,
            "failures": len(self.health.failures),
            "warnings": len(self.health.current_warnings()),
        }

    def _totals(self) -> Mapping[str, float | None]:
        """None for what is unknown, which then has no sample."""
        waiting = until_s = lag_s = None
        if self._seal is not None:
            seal, at = self._seal
            waiting = seal.events_waiting
            if seal.complete_until is not None:
                until_s, lag_s = seal.complete_until.timestamp(), (at - seal.complete_until).total_seconds()
        return {
            "scheduler_evaluated_seconds": None if self.evaluated_at is None else self.evaluated_at.timestamp(),
            "totals_events_waiting": waiting,
            "totals_complete_until_seconds": until_s,
            "totals_lag_seconds": lag_s,
        }


def _family(name: str, help_text: str, *, by_label: Mapping[str, Histogram], labels: Sequence[str]) -> Metric:
    family = HistogramMetricFamily(name, help_text, labels=labels)
    for value, histogram in by_label.items():
        buckets, sum_s = histogram.buckets()
        family.add_metric([value] if labels else [], buckets, sum_s)
    return family
