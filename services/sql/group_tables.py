"""Filters on users and sessions: conditions on requests, and on the figures of each group of them."""

from collections.abc import Iterable, Mapping
from datetime import UTC, tzinfo
from typing import Final

import msgspec

from schemas.errors import InvalidFilter
from schemas.tables import REQUEST_RESPONSE, TABLES, Column, Table
from services.sql.group_measures import FIGURES, SESSION_FIGURES, USER_FIGURES
from services.sql.nodes import And, Compare, Everything, Filter, Not, Or
from services.sql.parse import parse_filter


def _with(name: str, columns: Mapping[str, Column]) -> Mapping[str, Table]:
    return {**TABLES, name: msgspec.structs.replace(REQUEST_RESPONSE, columns=columns)}


USER_TABLES: Final = _with("users_view", {"user_user_id": REQUEST_RESPONSE.columns["user_id"], **USER_FIGURES})
_SESSIONS: Final = "sessions_request_response_rmt"
SESSION_TABLES: Final = _with(_SESSIONS, {**TABLES[_SESSIONS].columns, **SESSION_FIGURES})


class GroupFilter(msgspec.Struct, frozen=True):
    """Which requests count, and which of their groups are shown."""

    where: Filter
    having: Filter


def parse_group_filter(json: object, tables: Mapping[str, Table], zone: tzinfo = UTC) -> GroupFilter:
    """Raises: InvalidFilter, also where `or` joins a condition on requests with one on groups."""
    of_rows: list[Filter] = []
    of_groups: list[Filter] = []
    for term in _terms(parse_filter(json, zone, tables=tables)):
        figures = [column in FIGURES for column in _columns(term)]
        if any(figures) and not all(figures):
            raise InvalidFilter(
                "conditions on requests and on users or sessions cannot be joined by or: only by and, outermost"
            )
        (of_groups if any(figures) else of_rows).append(term)
    return GroupFilter(where=And(tuple(of_rows)), having=And(tuple(of_groups)))


def _terms(node: Filter) -> Iterable[Filter]:
    """What must hold, all of it."""
    if isinstance(node, And):
        for term in node.terms:
            yield from _terms(term)
    elif not isinstance(node, Everything):
        yield node


def _columns(node: Filter) -> Iterable[Column]:
    match node:
        case And(terms) | Or(terms):
            for term in terms:
                yield from _columns(term)
        case Not(term):
            yield from _columns(term)
        case Compare(column=column):
            yield column
        case _:
            return
