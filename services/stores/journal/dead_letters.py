"""The dead letters of a journal, which stand in its files."""

import asyncio
import logging
import sqlite3
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from schemas.errors import BrokerUnavailable, JournalDamaged
from schemas.event import DeadLetter
from services.stores.journal.file import open_damaged, unavailable
from services.stores.journal.files import JournalFiles

logger = logging.getLogger(__name__)


class JournalDeadLetters:
    """DeadLetters in the journal at `path`, also while a worker has it. Of damaged files what can be read."""

    def __init__(self, path: str | Path) -> None:
        """Raises: BrokerUnavailable when the file that takes events cannot be opened."""
        files = JournalFiles(path)
        newest, connection = files.open_newest()
        self._files = [*_damaged(files.damaged()), (newest, connection)]

    async def read(self) -> AsyncIterator[DeadLetter]:
        for path, connection in self._files:
            positions = "SELECT position FROM dead_letter ORDER BY dead_lettered_at_ms, rowid"
            with _translated(path):
                found = connection.execute(positions).fetchall()
            # One at a time: each may hold megabytes.
            for position in found:
                dead_letter = await asyncio.to_thread(_dead_letter, path, connection, position)
                if dead_letter is not None:
                    yield dead_letter

    async def forget(self, dead_letters: Sequence[DeadLetter]) -> bool:
        """False when a damaged file does not let go of all of its own: they stay listed until it is salvaged."""
        positions = [(dead_letter.position,) for dead_letter in dead_letters]
        *damaged, newest = self._files
        await asyncio.to_thread(_delete, *newest, positions)
        is_complete = True
        for path, connection in damaged:
            try:
                await asyncio.to_thread(_delete, path, connection, positions)
            except BrokerUnavailable as error:
                is_complete = False
                logger.warning("dead letters of a damaged journal cannot be deleted", extra={"reason": str(error)})
        return is_complete

    async def close(self) -> None:
        for _, connection in self._files:
            connection.close()


def _damaged(paths: Sequence[Path]) -> Iterator[tuple[Path, sqlite3.Connection]]:
    """Those of which anything can be read."""
    for path in paths:
        try:
            connection = open_damaged(path)
            connection.execute("SELECT count(*) FROM dead_letter").fetchone()
        except (BrokerUnavailable, sqlite3.Error) as error:
            logger.warning("dead letters of a damaged journal cannot be read", extra={"reason": str(error)})
        else:
            yield path, connection


def _dead_letter(path: Path, connection: sqlite3.Connection, position: tuple[str]) -> DeadLetter | None:
    """None when it was forgotten meanwhile, as by somebody else who put it back; or cannot be read."""
    query = "SELECT payload, position, code, reason FROM dead_letter WHERE position = ?"
    row = None
    try:
        with _translated(path):
            row = connection.execute(query, position).fetchone()
    except JournalDamaged as error:
        logger.warning("a dead letter of a damaged journal cannot be read", extra={"reason": str(error)})
    if row is None:
        return None
    payload, place, code, reason = row
    return DeadLetter(payload=payload, position=place, code=code, reason=reason)


def _delete(path: Path, connection: sqlite3.Connection, positions: Sequence[tuple[str]]) -> None:
    """All or none of them. Raises: BrokerUnavailable."""
    with _translated(path), connection:
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany("DELETE FROM dead_letter WHERE position = ?", positions)


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise unavailable(path, error) from error
