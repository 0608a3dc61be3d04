"""What the processes tell their operators: counters by name, and log lines as JSON."""

import json
import logging
import re
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final, Literal, get_args

Counter = Literal[
    "proxy_requests_total",  # requests let through to a provider
    "proxy_refused_total",  # requests answered by the proxy itself with an error
    "proxy_unlogged_total",  # requests passed on without a valid key: spend nobody sees
    "proxy_logged_total",  # calls that their callers logged afterwards; no provider was asked for them
    "proxy_ids_replaced_total",  # requests that got an id of ours, as another one had theirs in the same millisecond
    "proxy_strict_cut_total",  # callers cut off at the end of a whole answer: their event was not durable in time
    "proxy_bodies_dropped_total",  # bodies not kept because too much was in flight
    "proxy_bodies_truncated_total",  # bodies cut at the capture limit; of answers the end is kept all the same
    "proxy_usage_asked_total",  # streams that tell their usage because the proxy asked for it
    "proxy_drained_total",  # answers read on after their caller had gone
    "proxy_drain_refused_total",  # answers not read on, because too many were
    "proxy_drain_cut_total",  # answers not read to their end: too long, too large, or the proxy stopped
    "log_published_total",  # events handed to the event log
    "log_durable_total",  # events the log has made durable
    "log_lost_total",  # events given up: each is spend that nobody will see
    "worker_events_total",  # entries taken from the event log
    "worker_rows_total",  # rows written to the warehouse
    "worker_dead_letters_total",  # entries buried
    "worker_retries_total",  # batches tried again because the world was away
]

MAX_HEADER_NAMES: Final = 100  # that are counted by themselves
OTHER_HEADERS: Final = "other"
_HEADER_NAME: Final = re.compile(r"[a-z0-9_.-]{1,80}")


class Metrics:
    """Counters of one process, and how it is. Adding is one dictionary operation: it is done on the hot path."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = dict.fromkeys(get_args(Counter), 0)
        self._unknown_headers: dict[str, int] = {}
        self.trouble = ""  # why the process does not do all of its work, for who asks whether it is well
        self.worker_inside = False  # as `farebox up` has it

    def add(self, name: Counter, count: int = 1) -> None:
        self._counts[name] += count

    def get(self, name: Counter) -> int:
        return self._counts[name]

    def add_unknown_header(self, name: str) -> None:
        """A request had a header `name`, in lower case, that has no meaning. Odd and further names count as one."""
        counts = self._unknown_headers
        if name not in counts and (len(counts) >= MAX_HEADER_NAMES or not _HEADER_NAME.fullmatch(name)):
            name = OTHER_HEADERS
        counts[name] = counts.get(name, 0) + 1

    def exposition(self) -> str:
        """All counters in the Prometheus text format, and `farebox_accounting`: 1 with a worker inside, else 0.

        `farebox_proxy_unknown_headers_total` has a line for each name of a header that has no meaning.
        """
        lines = [f"# TYPE farebox_{name} counter\nfarebox_{name} {count}" for name, count in self._counts.items()]
        lines.append("# TYPE farebox_proxy_unknown_headers_total counter")
        unknown = self._unknown_headers.items()
        lines += [f'farebox_proxy_unknown_headers_total{{name="{name}"}} {count}' for name, count in unknown]
        lines.append(f"# TYPE farebox_accounting gauge\nfarebox_accounting {int(self.worker_inside)}")
        return "\n".join(lines) + "\n"


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


# Their troubles reach us as exceptions, and are logged once, by whoever handles those.
_TOLD_BY_US = ("aiokafka", "clickhouse_connect", "urllib3")


def configure_logging(level: str) -> None:
    """Sends all log lines of this process to standard error as JSON."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for name in _TOLD_BY_US:
        logging.getLogger(name).setLevel(logging.CRITICAL)
