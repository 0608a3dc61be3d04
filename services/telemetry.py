"""What the processes tell their operators: counters by name, and log lines as JSON."""

import json
import logging
import re
import sys
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final, Literal, get_args

Counter = Literal[
    "proxy_requests_total",  # requests let through to a provider
    "proxy_refused_total",  # requests answered by the proxy itself with an error
    "proxy_unauthenticated_passthrough_total",  # requests passed on without a valid key: spend nobody sees
    "proxy_logged_total",  # calls that their clients logged afterwards; no provider was asked for them
    "proxy_ids_replaced_total",  # requests that got an id of ours, as another one had theirs in the same millisecond
    "proxy_strict_cut_total",  # clients cut off at the end of a whole response: their event was not durable in time
    "proxy_bodies_dropped_total",  # bodies not kept because too much was in flight
    "proxy_bodies_truncated_total",  # bodies cut at the capture limit; of answers the end is kept all the same
    "proxy_stream_usage_injected_total",  # streams that tell their usage because the proxy asked for it
    "proxy_drained_total",  # answers read on after their client had gone
    "proxy_drain_refused_total",  # answers not read on, because too many were
    "proxy_drain_cut_total",  # answers not read to their end: too long, too large, or the proxy stopped
    "log_published_total",  # events handed to the event log
    "log_durable_total",  # events the log has made durable
    "log_write_failures_total",  # attempts to write the journal that failed: what they were to write waits in memory
    "log_unreadable_total",  # events of damaged journal files that could not be read: in no total until salvaged
    "log_uncovered_total",  # events that a killed process would have lost, as the intake had no room or no file
    "log_recovered_total",  # events of killed processes that were made durable here
    "log_lost_total",  # events given up: each is spend that nobody will see
    "worker_events_total",  # entries taken from the event log
    "worker_rows_total",  # rows written to the warehouse
    "worker_dead_letters_total",  # entries buried
    "worker_log_conflicts_total",  # logs refused, as they would replace what they may not; buried too
    "worker_retries_total",  # batches tried again because the world was away
]

MAX_HEADER_NAMES: Final = 100  # that are counted by themselves
OTHER_HEADERS: Final = "other"
_HEADER_NAME: Final = re.compile(r"[a-z0-9_.-]{1,80}")


Timing = Literal["log_durable_seconds"]  # from the end of the response until its event is durable

_BOUNDS_S: Final = (0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Histogram:
    """How long something took, counted by upper bound in seconds."""

    __slots__ = ("_count", "_sum_s", "_within")

    def __init__(self) -> None:
        self._within = [0] * len(_BOUNDS_S)
        self._count = 0
        self._sum_s = 0.0

    def observe(self, began_s: Sequence[float], ended_s: float) -> None:
        """What began at these times, in ascending order, ended at once. One search for each bound, not for each."""
        count = len(began_s)
        for place, bound_s in enumerate(_BOUNDS_S):
            self._within[place] += count - bisect_left(began_s, ended_s - bound_s)
        self._count += count
        self._sum_s += count * ended_s - sum(began_s)

    def exposition(self, name: str) -> str:
        lines = [f"# TYPE {name} histogram"]
        for bound_s, within in zip(_BOUNDS_S, self._within, strict=True):
            lines.append(f'{name}_bucket{{le="{bound_s}"}} {within}')
        lines += [f'{name}_bucket{{le="+Inf"}} {self._count}', f"{name}_sum {self._sum_s:.6f}"]
        return "\n".join([*lines, f"{name}_count {self._count}"])


class Metrics:
    """Counters of one process, and how it is. Adding is one dictionary operation: it is done on the hot path."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = dict.fromkeys(get_args(Counter), 0)
        self._timings: dict[str, Histogram] = {name: Histogram() for name in get_args(Timing)}
        self._unknown_headers: dict[str, int] = {}
        self.troubles: dict[str, str] = {}  # why a part of the process does not do its work at the moment, by part
        self.warnings: dict[str, Callable[[], Sequence[str]]] = {}  # what works, and needs an operator all the same
        self.worker_inside = False  # as `farebox up` has it

    @property
    def trouble(self) -> str:
        """Why the process does not do all of its work, for who asks whether it is well; "" when it does."""
        return "; ".join(dict(self.troubles).values())

    def warned(self) -> Sequence[str]:
        """What an operator should look at though everything works, as it is at this timestamp."""
        return [warning for ask in dict(self.warnings).values() for warning in ask()]

    def health(self) -> str:
        """`{"status": "ok"}` as JSON; or `degraded` with warnings, or `unavailable` with the trouble."""
        if self.trouble:
            return _line({"status": "unavailable", "trouble": self.trouble})
        warnings = self.warned()
        return _line({"status": "degraded", "warnings": warnings} if warnings else {"status": "ok"})

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
        """All counters and histograms in the Prometheus text format, and how the process is, as gauges.

        `farebox_accounting`: 1 with a worker inside, else 0. `farebox_troubles`: parts that do not do their work at the
        timestamp. `farebox_warnings`: what works and needs an operator all the same, such as a damaged journal file.
        `farebox_proxy_unknown_headers_total` has a line for each name of a header that has no meaning.
        """
        lines = [f"# TYPE farebox_{name} counter\nfarebox_{name} {count}" for name, count in self._counts.items()]
        lines.append("# TYPE farebox_proxy_unknown_headers_total counter")
        unknown = self._unknown_headers.items()
        lines += [f'farebox_proxy_unknown_headers_total{{name="{name}"}} {count}' for name, count in unknown]
        gauges = {"accounting": self.worker_inside, "troubles": len(self.troubles), "warnings": len(self.warned())}
        lines += [f"# TYPE farebox_{name} gauge\nfarebox_{name} {int(value)}" for name, value in gauges.items()]
        lines += [timing.exposition(f"farebox_{name}") for name, timing in self._timings.items()]
        return "\n".join(lines) + "\n"


def _line(content: Mapping[str, object]) -> str:
    return json.dumps(content, separators=(",", ":")) + "\n"


_PLAIN = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName", "color_message"}


class JsonFormatter(logging.Formatter):
    """One line a record: time in UTC, level, logger, a constant sentence, and the facts given as `extra`."""

    def format(self, record: logging.LogRecord) -> str:
        facts: Mapping[str, object] = {k: v for k, v in record.__dict__.items() if k not in _PLAIN}
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **facts,
        }
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


# Their errors reach us as exceptions, and are logged once, where those are handled.
_LOGGED_BY_US = ("aiokafka", "alembic", "clickhouse_connect", "urllib3")


def configure_logging(level: str) -> None:
    """Sends all log lines of this process to standard error as JSON."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for name in _LOGGED_BY_US:
        logging.getLogger(name).setLevel(logging.CRITICAL)
