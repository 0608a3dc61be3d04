"""Client handles on ClickHouse, by URL: a server over HTTP, or the engine in this process. And what its errors mean."""

import importlib
import os
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from errno import EDQUOT, EFBIG, EIO, EMFILE, ENFILE, ENOMEM, ENOSPC, EROFS
from pathlib import Path
from types import ModuleType
from typing import cast
from urllib.parse import unquote, urlsplit

import clickhouse_connect
import msgspec
from clickhouse_connect.driver import Client, options
from clickhouse_connect.driver.exceptions import DatabaseError, Error, OperationalError, ProgrammingError
from urllib3.exceptions import HTTPError

from schemas.errors import InvalidSetting, StoreUnavailable
from services.stores.private_files import make_private_folder

EMBEDDED_DATABASE = "farebox"

# The engine's defaults are made for a machine of its own: in-process its caches would grow to gigabytes, and one
# query could take the memory that the proxy needs.
_ENGINE_OPTIONS: Mapping[str, object] = {
    "max_server_memory_usage_to_ram_ratio": 0.5,
    "mark_cache_size": 64 * 2**20,
    "primary_index_cache_size": 64 * 2**20,
    "index_mark_cache_size": 32 * 2**20,
    "query_condition_cache_size": 8 * 2**20,
    "compiled_expression_cache_size": 16 * 2**20,
}

# Errors to retry after. Tables and databases are missing until a migration runs; users until they are granted access.
_TRANSIENT = frozenset(
    {
        "ABORTED", "ACCESS_DENIED", "ALL_CONNECTION_TRIES_FAILED", "AUTHENTICATION_FAILED", "CANNOT_ALLOCATE_MEMORY",
        "CANNOT_OPEN_FILE", "CANNOT_SCHEDULE_TASK", "CANNOT_WRITE_TO_FILE_DESCRIPTOR", "KEEPER_EXCEPTION",
        "MEMORY_LIMIT_EXCEEDED", "NETWORK_ERROR", "NOT_ENOUGH_SPACE", "NO_FREE_CONNECTION", "NO_ZOOKEEPER",
        "QUERY_WAS_CANCELLED", "REQUIRED_PASSWORD", "SOCKET_TIMEOUT", "TABLE_IS_READ_ONLY", "TIMEOUT_EXCEEDED",
        "TOO_FEW_LIVE_REPLICAS", "TOO_MANY_PARTS", "TOO_MANY_SIMULTANEOUS_QUERIES", "TOO_SLOW", "UNKNOWN_DATABASE",
        "UNKNOWN_STATUS_OF_INSERT", "UNKNOWN_TABLE", "UNKNOWN_USER",
    }
)  # fmt: skip


# The operating system's errors when the machine is short of something, whatever the engine's own error is.
_MACHINE_FAULTS = tuple(os.strerror(code) for code in (EMFILE, ENFILE, ENOSPC, EDQUOT, EFBIG, EIO, EROFS, ENOMEM))


class Address(msgspec.Struct, frozen=True, kw_only=True):
    """Where a warehouse is. `text` names it to people and holds no password."""

    text: str
    database: str
    folder: str = ""  # of the engine in this process; '' for a server
    scheme: str = ""
    host: str = ""
    port: int = 0
    username: str = ""
    password: str = ""

    def __repr__(self) -> str:
        return f"Address({self.text!r})"


def parse_address(url: str) -> Address:
    """Raises: InvalidSetting when `url` is neither chdb:FOLDER nor http(s)://USER:PASSWORD@HOST:PORT/DATABASE."""
    if url.startswith("chdb:"):
        folder = url.removeprefix("chdb:")
        if not folder or folder.startswith("//"):
            raise InvalidSetting("warehouse: expected chdb:FOLDER")
        return Address(text=f"chdb:{folder}", database=EMBEDDED_DATABASE, folder=str(Path(folder).resolve()))
    return _server_address(url)


def _server_address(url: str) -> Address:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise InvalidSetting("warehouse: not a URL") from None
    if parts.scheme not in ("http", "https") or not host:
        raise InvalidSetting("warehouse: expected chdb:FOLDER or http(s)://USER:PASSWORD@HOST:PORT/DATABASE")
    database = parts.path.strip("/") or "default"
    if not re.fullmatch(r"\w+", database, re.ASCII):
        raise InvalidSetting(f"warehouse: {database!r} is not a database name")
    port = port or {"http": 8123, "https": 8443}[parts.scheme]
    return Address(
        text=f"{parts.scheme}://{host}:{port}/{database}",
        database=database,
        scheme=parts.scheme,
        host=host,
        port=port,
        username=unquote(parts.username or "default"),
        password=unquote(parts.password or ""),
    )


def open_handle(
    address: Address, settings: Mapping[str, object], *, timeout_s: float, in_database: bool = True
) -> Client:
    """A handle with `settings` in force, on the address's database unless `in_database` is false.

    Raises: StoreUnavailable, InvalidSetting.
    """
    _forgo_data_frames()
    with translated(f"open {address.text}"):
        if address.folder:
            return _embedded_handle(address, settings, in_database=in_database)
        return clickhouse_connect.get_client(
            interface=address.scheme,
            host=address.host,
            port=address.port,
            username=address.username,
            password=address.password,
            database=address.database if in_database else None,
            settings=dict(settings),
            connect_timeout=5,
            send_receive_timeout=int(timeout_s),
            tz_mode="aware",
            # A session would make the server refuse a call while another of the same handle runs on.
            autogenerate_session_id=False,
            # Values travel in the body: URLs end up in the logs of whatever stands between.
            form_encode_query_params=True,
        )


def _forgo_data_frames() -> None:
    """The driver loads pandas at the first insert, only to see whether it was given a frame: 60 MB resident."""
    for library in ("np", "pd", "pd_time_test"):
        vars(options).setdefault(library, None)


def _load_engine() -> None:
    """chDB loads pyarrow where there is one, only to offer Arrow tables, which nobody asks of it: 38 MB resident."""
    if "chdb" in sys.modules or "pyarrow" in sys.modules:
        return
    sys.modules["pyarrow"] = cast("ModuleType", None)  # how an import is made to fail; exports import it later
    try:
        importlib.import_module("chdb.session")
    finally:
        del sys.modules["pyarrow"]


def _embedded_handle(address: Address, settings: Mapping[str, object], *, in_database: bool) -> Client:
    _load_engine()
    try:
        make_private_folder(Path(address.folder))
        return clickhouse_connect.get_client(
            interface="chdb",
            path=address.folder,
            chdb_options=dict(_ENGINE_OPTIONS),
            database=address.database if in_database else None,
            settings=dict(settings),
            tz_mode="aware",
        )
    except OSError as error:
        if error.strerror in _MACHINE_FAULTS:
            raise
        raise InvalidSetting(f"warehouse: cannot make {address.folder}: {error.strerror}") from error
    except ProgrammingError as error:
        if fault := next((fault for fault in _MACHINE_FAULTS if fault in str(error)), ""):
            raise StoreUnavailable(f"open {address.text}: {fault}") from error
        raise InvalidSetting(
            f"warehouse: cannot open {address.folder}: a folder belongs to one process, and a process to one folder"
        ) from error


@contextmanager
def translated(action: str) -> Iterator[None]:
    """Turns the driver's errors into StoreUnavailable when the outside is at fault, and leaves bugs as they are."""
    try:
        yield
    except HTTPError as error:
        raise StoreUnavailable(f"{action}: the connection broke") from error
    except OSError as error:
        # The driver passes batches to the engine in files.
        raise StoreUnavailable(f"{action}: {error.strerror or type(error).__name__}") from error
    except Error as error:
        if _is_transient(error):
            raise StoreUnavailable(f"{action}: {error.name or 'no response'}") from error
        raise


def _is_transient(error: Error) -> bool:
    if error.code is not None:
        return error.name in _TRANSIENT or any(fault in str(error) for fault in _MACHINE_FAULTS)
    # Without a code the error did not come from a ClickHouse that had read the statement.
    return isinstance(error, OperationalError) or type(error) is DatabaseError
