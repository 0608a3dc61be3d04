"""The messages between the proxy's process and the accounting's. Both run the same code, so they are pickled."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import msgspec

from schemas.statement import Statement


class QueryRows(msgspec.Struct, frozen=True):
    """To accounting: the rows of a statement. It replies."""

    id: int
    statement: Statement


class CountBacklog(msgspec.Struct, frozen=True):
    """To accounting: how many events are in the log and not yet rows. It replies."""

    id: int


class Stop(msgspec.Struct, frozen=True):
    """To accounting: no more events come; drain the log and end."""


Request: TypeAlias = QueryRows | CountBacklog | Stop


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """To the proxy: what request `id` got."""

    id: int
    value: Any = None
    error: str = ""  # why there is no value


class Ready(msgspec.Struct, frozen=True):
    """To the proxy: tables are there, the worker and the query service run."""


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """To the proxy, several times a second: how accounting is, as in its `Metrics`."""

    failures: Mapping[str, str]
    warnings: Mapping[str, Sequence[str]]
    counted: Mapping[str, int]  # by how much counters have grown since the last status


class Failed(msgspec.Struct, frozen=True, kw_only=True):
    """To the proxy, as the last message: why accounting ends by itself."""

    reason: str
    for_good: bool  # a restart would fail again, or do harm


Report: TypeAlias = Reply | Ready | Status | Failed
