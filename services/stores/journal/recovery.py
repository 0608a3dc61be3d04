"""What killed processes left in their intakes becomes durable in the journal."""

import logging
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Final

from schemas.errors import BrokerUnavailable
from services.stores.journal.file import INSERT_SEGMENT, is_damage, pack_segment, unix_ms, unpack_segment
from services.stores.journal.intake import Left, take_over
from services.telemetry.metrics import Metrics

logger = logging.getLogger(__name__)

LOOK_S: Final = 30.0  # how long what a neighbour left may lie there while events come
RETRY_S: Final = 1.0

_SEGMENT_EVENTS: Final = 1000
_CLOCK_STEP_MS: Final = 60_000  # segments of several processes, and a clock that is set, are not in order of time


class Recovery:
    """For the journal that is known as `path`: at the start, and now and then for neighbours that were killed."""

    def __init__(self, path: Path, metrics: Metrics) -> None:
        self._path = path
        self._metrics = metrics
        self._look_at_s = 0.0

    def attempt(self, connect: Callable[[], sqlite3.Connection]) -> None:
        """Makes durable what no living process answers for, when it is time to look. What fails is retried."""
        if time.monotonic() < self._look_at_s:
            return
        self._look_at_s = time.monotonic() + LOOK_S
        try:
            take_over(self._path, lambda left: self._keep(left, connect()))
        except (BrokerUnavailable, sqlite3.Error, OSError) as error:
            self._look_at_s = time.monotonic() + RETRY_S
            logger.warning("events of a killed process wait to be recovered", extra={"reason": str(error)})
        except Exception:  # as of an intake that was damaged: it must not keep new events from being written
            self._look_at_s = time.monotonic() + RETRY_S
            logger.exception("events of a killed process could not be recovered")

    def _keep(self, left: Left, connection: sqlite3.Connection) -> None:
        durable = _durable(connection, left.segment_ms)
        payloads = [payload for payload in left.payloads if payload not in durable]
        connection.execute("BEGIN IMMEDIATE")
        try:
            for first in range(0, len(payloads), _SEGMENT_EVENTS):
                some = payloads[first : first + _SEGMENT_EVENTS]
                connection.execute(INSERT_SEGMENT, (unix_ms(), len(some), pack_segment(some)))
            connection.execute("COMMIT")
        except sqlite3.Error:
            connection.rollback()
            raise
        self._metrics.add("log_recovered_total", len(payloads))
        logger.warning("events of a killed process are recovered", extra={"count": len(payloads)})


def _durable(connection: sqlite3.Connection, segment_ms: int) -> frozenset[bytes]:
    """The events of the segments that were created at that time: a process was killed while it wrote one of them.

    None when the journal is damaged: what comes twice is counted once.
    """
    if not segment_ms:  # it was killed before it wrote any
        return frozenset()
    found: list[bytes] = []
    try:
        # The newest first, without their payloads: the journal may hold gigabytes of what came before.
        with closing(connection.execute("SELECT id, created_at_ms FROM segment ORDER BY id DESC")) as segments:
            for segment_id, created_ms in segments:
                if created_ms < segment_ms - _CLOCK_STEP_MS:
                    break
                if created_ms == segment_ms:
                    found += _payloads(connection, segment_id)
    except sqlite3.DatabaseError as error:
        if not is_damage(error):
            raise
        return frozenset()
    return frozenset(found)


def _payloads(connection: sqlite3.Connection, segment_id: int) -> list[bytes]:
    (packed,) = connection.execute("SELECT payload FROM segment WHERE id = ?", (segment_id,)).fetchone()
    return unpack_segment(packed) or []
