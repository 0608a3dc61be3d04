"""Runs reports, and parses what comes back: positions into names, and what is empty into None."""

from collections.abc import Mapping
from typing import Any

import msgspec

from services.ports import Warehouse
from services.sql.compile import compile_report
from services.sql.nodes import Report


class Group(msgspec.Struct, frozen=True):
    by: tuple[Any, ...]
    figures: Mapping[str, Any]


async def run_report(report: Report, warehouse: Warehouse) -> tuple[Group, list[Group]]:
    """The total over all groups, and the groups in order. Raises: StoreUnavailable."""
    rows = await warehouse.query(compile_report(report))
    total, *groups = [_group(row, report) for row in rows]
    return total, groups


def _group(row: Mapping[str, Any], report: Report) -> Group:
    by = (row[f"d{position}"] for position in range(len(report.by)) if not row["total"])
    figures = {measure.name: row[f"m{position}"] for position, measure in enumerate(report.measures)}
    return Group(tuple(None if value == "" else value for value in by), figures)
