"""Statements as the driver runs them."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from clickhouse_connect.driver import Client

from schemas.statement import Bound, Statement
from services.stores.clickhouse.connection import translated


def run_query(
    handle: Client, statement: Statement, settings: Mapping[str, object] | None = None
) -> list[dict[str, Any]]:
    with translated("query"):
        result = handle.query(
            statement.sql, parameters=_parameters(statement), settings=dict(settings or {}), query_tz=UTC
        )
        return list(result.named_results())


def run_command(handle: Client, statement: Statement) -> None:
    with translated("execute"):
        handle.command(statement.sql, parameters=_parameters(statement))


def _parameters(statement: Statement) -> dict[str, object]:
    return {name: _bound(value) for name, value in statement.parameters.items()}


def _bound(value: Bound) -> object:
    """How a value is written for a placeholder. The driver would cut microseconds, and 'True' is no number."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
    if isinstance(value, bool):
        return int(value)
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, Sequence):
        return [_bound(one) for one in value]
    return f"{value:f}"
