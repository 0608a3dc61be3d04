"""The journal: an event log in one SQLite file. Here is what both ends share: the tables and the form of a segment.

A segment is one group commit: one row that holds many events. A row per event would cost a hand-off of the
interpreter lock each, and a busy event loop gives that back late.
"""

import sqlite3
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from schemas.errors import BrokerUnavailable, JournalDamaged
from schemas.event import DeadLetter
from services.stores.journal.write_ahead_log import scan_log
from services.stores.private_files import make_private_file
from services.stores.sqlite_wal import switch_to_wal
from services.zstd import zstd

BUSY_TIMEOUT_S = 2.0
FORMAT_VERSION = 1

_TABLES = (
    # The newest segment is never pruned, so ids grow and none comes twice.
    # events_through: how many events the log ever held, up to and with this segment.
    """CREATE TABLE IF NOT EXISTS segment (
         id INTEGER PRIMARY KEY,
         created_at_ms INTEGER NOT NULL,
         event_count INTEGER NOT NULL,
         events_through INTEGER NOT NULL,
         payload BLOB NOT NULL)""",
    """CREATE TABLE IF NOT EXISTS consumer (
         name TEXT PRIMARY KEY,
         segment_id INTEGER NOT NULL,
         events_through INTEGER NOT NULL,
         updated_at_ms INTEGER NOT NULL)""",
    """CREATE TABLE IF NOT EXISTS dead_letter (
         position TEXT PRIMARY KEY,
         code TEXT NOT NULL,
         reason TEXT NOT NULL,
         dead_lettered_at_ms INTEGER NOT NULL,
         payload BLOB NOT NULL)""",
)

# When it was created, how many events, their packed form.
INSERT_SEGMENT = """
INSERT INTO segment (created_at_ms, event_count, events_through, payload)
VALUES (?1, ?2, ?2 + ifnull((SELECT events_through FROM segment ORDER BY id DESC LIMIT 1), 0), ?3)
"""

_DAMAGE = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_BAD_SECTORS = frozenset({sqlite3.SQLITE_IOERR_READ, sqlite3.SQLITE_IOERR_CORRUPTFS})
_PAGE_BYTES = 512  # the smallest there is
_LOOK_AGAIN_S = 0.05

# How far the log ever went, on a page of its own: when the newest segments are damaged, it says how many there were.
_TAIL = (
    "CREATE TABLE IF NOT EXISTS tail (id INTEGER PRIMARY KEY, segment_id INTEGER, events_through INTEGER)",
    """CREATE TRIGGER IF NOT EXISTS tail_moves AFTER INSERT ON segment BEGIN
         INSERT OR REPLACE INTO tail VALUES (1, NEW.id, NEW.events_through);
       END""",
)

_COMPRESSION: Mapping[int, int] = {
    zstd.CompressionParameter.compression_level: 1,
    zstd.CompressionParameter.checksum_flag: 1,
}
_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(list[bytes])


def open_journal(path: Path, *, may_be_new: bool = True) -> sqlite3.Connection:
    """A connection to the journal at `path`, made when it is not there. Any one thread at a time may use it.

    Raises: BrokerUnavailable, and of those JournalDamaged when the file is not as it was written; as one is that is
    empty, unless it `may_be_new`.
    """
    try:
        _check_sizes(path, may_be_new=may_be_new)
        make_private_file(path)
        connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
    except (sqlite3.Error, OSError) as error:
        raise unavailable(path, error) from error
    try:
        _prepare(connection, path)
    except sqlite3.Error as error:
        connection.close()
        raise unavailable(path, error) from error
    except BrokerUnavailable:
        connection.close()
        raise
    return connection


def open_damaged(path: Path) -> sqlite3.Connection:
    """A connection that reads what can be read of the journal at `path`, whatever its header says of its size.

    Raises: JournalDamaged when nothing can; BrokerUnavailable.
    """
    try:
        if not path.stat().st_size:  # SQLite would take it for new, and delete the log beside it
            raise JournalDamaged(f"journal {path}: it is empty")
        # Who may not write does not delete the log when it is closed: salvaging needs what SQLite passes over.
        mode = "ro" if log_damage(path.with_name(f"{path.name}-wal")) else "rw"
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode={mode}",
            uri=True,
            timeout=BUSY_TIMEOUT_S,
            isolation_level=None,
            check_same_thread=False,
        )
    except (sqlite3.Error, OSError) as error:
        raise unavailable(path, error) from error
    try:
        # Under it SQLite forgives a file that is shorter than its header says.
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute("SELECT 1 FROM segment LIMIT 0")
    except sqlite3.Error as error:
        connection.close()
        if error.sqlite_errorcode == sqlite3.SQLITE_ERROR:  # there is no such table
            raise JournalDamaged(f"journal {path}: {error}") from error
        raise unavailable(path, error) from error
    return connection


def unavailable(path: Path, error: Exception) -> BrokerUnavailable:
    """`error` as one of ours: the journal at `path` is damaged, or cannot be used now."""
    kind = JournalDamaged if isinstance(error, sqlite3.Error) and is_damage(error) else BrokerUnavailable
    return kind(f"journal {path}: {error}")


def is_damage(error: sqlite3.Error) -> bool:
    """Whether the file is not as it was written; other errors pass."""
    code = getattr(error, "sqlite_errorcode", None)  # missing where Python itself complains
    return code is not None and (code & 0xFF in _DAMAGE or code in _BAD_SECTORS)


def _check_sizes(path: Path, *, may_be_new: bool) -> None:
    """Finds what SQLite would take for new, or pass over. Raises: BrokerUnavailable, JournalDamaged; OSError."""
    if not path.is_file():
        return
    log = path.with_name(f"{path.name}-wal")
    log_bytes = log.stat().st_size if log.exists() else 0
    size_bytes = path.stat().st_size
    was_in_use = not may_be_new or bool(log_bytes or any(path.parent.glob(f"{path.name}.*.lock")))
    if not size_bytes and was_in_use:
        raise JournalDamaged(f"journal {path}: it was in use, and is empty")
    if size_bytes % _PAGE_BYTES and not was_in_use:
        raise BrokerUnavailable(f"journal {path}: this is not a journal")
    damage = log_damage(log)
    if damage:
        raise JournalDamaged(f"journal {path}: {damage}")


def log_damage(log: Path) -> str:
    """What is wrong with the write-ahead log at `log`, such that events would be lost; "" for nothing. Raises: OSError.

    Somebody may be writing it: what is found twice is not on its way.
    """
    if not log.exists() or (damaged_at := scan_log(log).damaged_at) is None:
        return ""
    time.sleep(_LOOK_AGAIN_S)
    if not log.exists() or scan_log(log).damaged_at != damaged_at:
        return ""
    return f"its write-ahead log is damaged at byte {damaged_at}"


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    connection.execute("PRAGMA auto_vacuum = INCREMENTAL")  # heard only while the file is empty
    switch_to_wal(connection, wait_s=BUSY_TIMEOUT_S)
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA journal_size_limit = 67108864")
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version not in (0, FORMAT_VERSION):
        raise BrokerUnavailable(f"journal {path}: format {version} is not one this version of Farebox reads")
    if not version:
        _run(connection, (*_TABLES, *_TAIL, f"PRAGMA user_version = {FORMAT_VERSION}"))
    elif not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'tail_moves'").fetchone():
        _run(connection, _TAIL)  # a journal of before there was one, which older versions read and write all the same


def _run(connection: sqlite3.Connection, statements: Sequence[str]) -> None:
    connection.execute("BEGIN IMMEDIATE")
    for statement in statements:
        connection.execute(statement)
    connection.execute("COMMIT")


def pack_segment(payloads: Sequence[bytes]) -> bytes:
    """The stored form of a group of events; the interpreter lock is free while it compresses."""
    return zstd.compress(_encoder.encode(payloads), options=_COMPRESSION)


def unpack_segment(packed: bytes) -> list[bytes] | None:
    """The events of a stored segment; None when its bytes are damaged, as its checksum shows."""
    try:
        return _decoder.decode(zstd.decompress(packed))
    except (zstd.ZstdError, msgspec.DecodeError, MemoryError):
        return None


def insert_dead_letters(connection: sqlite3.Connection, dead_letters: Sequence[DeadLetter]) -> None:
    """Inserts `dead_letters`. By position they replace each other: a batch may be delivered again."""
    rows = [
        (dead_letter.position, dead_letter.code, dead_letter.reason, unix_ms(), dead_letter.payload)
        for dead_letter in dead_letters
    ]
    connection.execute("BEGIN IMMEDIATE")
    try:
        connection.executemany("INSERT OR REPLACE INTO dead_letter VALUES (?, ?, ?, ?, ?)", rows)
        connection.execute("COMMIT")
    except sqlite3.Error:
        connection.rollback()
        raise


def unix_ms() -> int:
    return time.time_ns() // 1_000_000
