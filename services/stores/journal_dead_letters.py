"""The dead letters of a journal, which stand in its file."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from schemas.errors import BrokerUnavailable
from schemas.event import DeadLetter
from services.stores.journal import open_journal


class JournalDeadLetters:
    """DeadLetters in the SQLite file `path`, also while a worker has it."""

    def __init__(self, path: str | Path) -> None:
        """Raises: BrokerUnavailable when the file cannot be opened."""
        self._path = Path(path)
        self._connection = open_journal(self._path)

    async def read(self) -> AsyncIterator[DeadLetter]:
        try:
            positions = self._connection.execute("SELECT position FROM dead_letter ORDER BY buried_at_ms, rowid")
            # One at a time: each may hold megabytes.
            for position in positions.fetchall():
                letter = await asyncio.to_thread(self._letter, position)
                if letter is not None:
                    yield letter
        except sqlite3.Error as error:
            raise BrokerUnavailable(f"journal {self._path}: {error}") from error

    async def forget(self, letters: Sequence[DeadLetter]) -> bool:
        positions = [(letter.position,) for letter in letters]
        try:
            await asyncio.to_thread(
                self._connection.executemany, "DELETE FROM dead_letter WHERE position = ?", positions
            )
        except sqlite3.Error as error:
            raise BrokerUnavailable(f"journal {self._path}: {error}") from error
        return True

    async def close(self) -> None:
        self._connection.close()

    def _letter(self, position: tuple[str]) -> DeadLetter | None:
        """None when it was forgotten meanwhile, as by somebody else who put it back."""
        query = "SELECT payload, position, code, reason FROM dead_letter WHERE position = ?"
        row = self._connection.execute(query, position).fetchone()
        if row is None:
            return None
        payload, place, code, reason = row
        return DeadLetter(payload=payload, position=place, code=code, reason=reason)
