"""Sessions as groups of requests: by id and name, of requests that name one."""

from typing import Final

from schemas.tables import REQUEST_RESPONSE, Operator
from services.sql.group_tables import GroupFilter
from services.sql.grouping import Groups
from services.sql.measures import Measure
from services.sql.nodes import And, ByColumn, Dimension, Everything, Filter, Not, Or, comparison

BY_ID: Final = ByColumn(REQUEST_RESPONSE.columns["session_id"])
BY_NAME: Final = ByColumn(REQUEST_RESPONSE.columns["session_name"])
ALL: Final = Everything()


def sessions(
    organization_id: str,
    given: GroupFilter,
    *also: Filter,
    measures: tuple[Measure, ...],
    by: tuple[Dimension, ...] = (BY_ID, BY_NAME),
) -> Groups:
    """Groups of the requests that are part of a session."""
    is_part = Not(comparison("session_id", Operator.EQUALS, ""))
    return Groups(
        table=REQUEST_RESPONSE,
        organization_id=organization_id,
        where=And((is_part, given.where, *also)),
        by=by,
        measures=measures,
        having=given.having,
    )


def is_named(name: str | None) -> Filter:
    """Holds for requests of sessions with this name; for all where there is none."""
    return comparison("session_name", Operator.EQUALS, name) if name else ALL


def name_contains(text: str) -> Filter:
    return comparison("session_name", Operator.CONTAINS, text) if text else ALL


def is_found(search: str) -> Filter:
    """Holds where the id or the name contains `search`, in any case."""
    if not search:
        return ALL
    return Or(tuple(comparison(name, Operator.CONTAINS, search) for name in ("session_id", "session_name")))
