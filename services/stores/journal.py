"""The journal: an event log in one SQLite file. Here is what both ends share: the tables and the form of a segment.

A segment is one group commit: one row that holds many events. A row per event would cost a hand-off of the
interpreter lock each, and a busy event loop gives that back late.
"""

import sqlite3
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from schemas.errors import BrokerUnavailable
from services.stores.private_files import make_private_file
from services.stores.write_ahead import switch_to_wal
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
         buried_at_ms INTEGER NOT NULL,
         payload BLOB NOT NULL)""",
)

_COMPRESSION: Mapping[int, int] = {
    zstd.CompressionParameter.compression_level: 1,
    zstd.CompressionParameter.checksum_flag: 1,
}
_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(list[bytes])


def open_journal(path: Path) -> sqlite3.Connection:
    """A connection to the journal at `path`, made when it is not there. Any one thread at a time may use it.

    Raises: BrokerUnavailable.
    """
    try:
        make_private_file(path)
        connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
    except (sqlite3.Error, OSError) as error:
        raise BrokerUnavailable(f"journal {path}: {error}") from error
    try:
        _prepare(connection, path)
    except sqlite3.Error as error:
        connection.close()
        raise BrokerUnavailable(f"journal {path}: {error}") from error
    except BrokerUnavailable:
        connection.close()
        raise
    return connection


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    connection.execute("PRAGMA auto_vacuum = INCREMENTAL")  # heard only while the file is empty
    switch_to_wal(connection, wait_s=BUSY_TIMEOUT_S)
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA journal_size_limit = 67108864")
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version == FORMAT_VERSION:
        return
    if version:
        raise BrokerUnavailable(f"journal {path}: format {version} is not one this version of Farebox reads")
    connection.execute("BEGIN IMMEDIATE")
    for table in _TABLES:
        connection.execute(table)
    connection.execute(f"PRAGMA user_version = {FORMAT_VERSION}")
    connection.execute("COMMIT")


def pack_segment(payloads: Sequence[bytes]) -> bytes:
    """The stored form of a group of events; the interpreter lock is free while it compresses."""
    return zstd.compress(_encoder.encode(payloads), options=_COMPRESSION)


def unpack_segment(packed: bytes) -> list[bytes] | None:
    """The events of a stored segment; None when its bytes are damaged, which its checksum tells."""
    try:
        return _decoder.decode(zstd.decompress(packed))
    except (zstd.ZstdError, msgspec.DecodeError, MemoryError):
        return None


def unix_ms() -> int:
    return time.time_ns() // 1_000_000
