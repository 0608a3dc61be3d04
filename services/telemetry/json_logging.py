"""Log lines as JSON, on standard error."""

import json
import logging
import sys
from collections.abc import Mapping
from datetime import UTC, datetime

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


# Their errors reach us as exceptions, and are logged once, where those are handled. What HTTP clients say beside that
# has whole URLs, which may be secrets of their receivers.
_LOGGED_BY_US = ("aiokafka", "alembic", "clickhouse_connect", "httpcore", "httpx", "urllib3")


def configure_logging(level: str) -> None:
    """Sends all log lines of this process to standard error as JSON."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for name in _LOGGED_BY_US:
        logging.getLogger(name).setLevel(logging.CRITICAL)
