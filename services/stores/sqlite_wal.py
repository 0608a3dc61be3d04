"""SQLite's write-ahead log, under which readers read while one writes."""

import sqlite3
import time


def switch_to_wal(connection: sqlite3.Connection, *, wait_s: float) -> None:
    """Waits up to `wait_s` for others that have the file. Raises: sqlite3.OperationalError.

    SQLite itself does not: it returns "locked" at once when two processes begin with the same file.
    """
    deadline_s = time.monotonic() + wait_s
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline_s:
                raise
            time.sleep(0.01)
        else:
            return
