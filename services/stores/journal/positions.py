"""Where a journal stands: what its worker has counted, its end, and what processes hold that is not in it yet."""

import asyncio
import contextlib
import sqlite3
from pathlib import Path
from typing import Final

from schemas.errors import BrokerUnavailable, LogConflict
from schemas.seal import Held, LogPosition, LogSnapshot
from services.stores.journal.file import BUSY_TIMEOUT_S, unavailable
from services.stores.journal.files import JournalFiles
from services.stores.journal.intake import read_held

_POSITION: Final = """
SELECT ifnull((SELECT events_through FROM consumer WHERE name = ?1), 0),
       ifnull((SELECT events_through FROM segment ORDER BY id DESC LIMIT 1), 0),
       (SELECT count(*) FROM dead_letter WHERE code != ?2)
"""


class JournalPositions:
    """LogPositions of the journal at `path`, as its worker `consumer` has counted it. It makes no file."""

    def __init__(self, path: str | Path, *, consumer: str = "farebox-workers") -> None:
        self._path = Path(path)
        self._files = JournalFiles(path)
        self._consumer = consumer

    async def snapshot(self) -> LogSnapshot:
        return await asyncio.to_thread(self._snapshot)

    async def close(self) -> None: ...

    def _snapshot(self) -> LogSnapshot:
        try:
            held = read_held(self._path)  # before the ends: what becomes durable meanwhile is before them
            return self._standing(held)
        except OSError as error:
            raise unavailable(self._path, error) from error

    def _standing(self, held: Held) -> LogSnapshot:
        positions, dead_letters = {}, 0
        for path in self._files.paths():
            if path.exists():
                counted, end, left_out = self._position(path)
                positions[self._files.label(path)] = LogPosition(counted=counted, end=end)
                dead_letters += left_out
        if not positions:
            raise BrokerUnavailable(f"journal {self._path} is missing")
        return LogSnapshot(positions=positions, held=held, dead_letters=dead_letters)

    def _position(self, path: Path) -> tuple[int, int, int]:
        """Raises: BrokerUnavailable."""
        uri = f"{path.absolute().as_uri()}?mode=ro"
        try:
            with contextlib.closing(sqlite3.connect(uri, uri=True, timeout=BUSY_TIMEOUT_S)) as connection:
                row: tuple[int, int, int] = connection.execute(_POSITION, (self._consumer, LogConflict.code)).fetchone()
                return row
        except sqlite3.Error as error:
            raise unavailable(path, error) from error
