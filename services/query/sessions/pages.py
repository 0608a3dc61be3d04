"""Sessions by filter: pages of them, what they come to, and their names."""

from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Final

import msgspec
from fastapi import Response

from schemas.api.groups import MillisecondsRange
from schemas.api.sessions import SessionCount, SessionName, SessionNamesRequest, SessionQueryRequest, SessionView
from schemas.tables import TABLES, Operator
from schemas.timestamps import whole_milliseconds
from services.query.dependencies import ServiceDep
from services.query.http.auth import Reader
from services.query.reports.client_time import ClientZone, period_of_range
from services.query.reports.grouped import coverage_of, figures_named, page_of_groups, sums_of_groups
from services.query.reports.groups import Group
from services.query.reports.sealed import Found, sealed_response, shares_of
from services.query.reports.totals import SPEND
from services.query.sessions.groups import ALL, BY_NAME, is_found, is_named, name_contains, sessions
from services.sql.group_measures import USER_IDS
from services.sql.group_tables import SESSION_TABLES, parse_group_filter
from services.sql.grouping import GroupOrder, Groups
from services.sql.measures import MEASURES, Measure
from services.sql.nodes import Filter, comparison

_MOST_NAMES: Final = 50
_NAMES_SINCE: Final = timedelta(days=150)


def _measures(fields: Mapping[str, str], *also: Measure) -> tuple[Measure, ...]:
    return tuple(dict.fromkeys((*(MEASURES[name] for name in fields.values()), *also, *SPEND)))


_FIELDS: Final[Mapping[str, str]] = {
    "created_at": "first_request_at",
    "latest_request_created_at": "last_request_at",
    "avg_latency": "average_latency_ms",
    "total_cost": "cost_usd",
    "total_requests": "requests",
    "prompt_tokens": "prompt_tokens",
    "completion_tokens": "completion_tokens",
    "total_tokens": "total_tokens",
}
_SUMMED: Final = (*SPEND, MEASURES["average_latency_ms"])
_MEASURES: Final = _measures(_FIELDS, USER_IDS)
_NAME_FIELDS: Final[Mapping[str, str]] = {
    "created_at": "first_request_at",
    "first_used": "first_request_at",
    "last_used": "last_request_at",
    "avg_latency": "average_latency_ms",
    "session_count": "sessions",
    "total_cost": "cost_usd",
}
_NAME_MEASURES: Final = _measures(_NAME_FIELDS)
_NEWEST_FIRST: Final = GroupOrder(measure=_MEASURES.index(MEASURES["first_request_at"]))
_LAST_USED_FIRST: Final = GroupOrder(measure=_NAME_MEASURES.index(MEASURES["last_request_at"]))


async def query_sessions(body: SessionQueryRequest, organization_id: Reader, service: ServiceDep) -> Response:
    """A page of sessions, the newest first."""
    zone = ClientZone(body.timezone_difference)
    groups = _groups_of(body, organization_id)

    async def found() -> Found:
        page = await page_of_groups(groups, _NEWEST_FIRST, service.warehouse, limit=body.limit, offset=body.offset)
        return Found(data=[_session(group, zone) for group in page], shares=shares_of(page), is_empty=not page)

    return await sealed_response(found(), service, organization_id, groups.where)


async def count_sessions(body: SessionQueryRequest, organization_id: Reader, service: ServiceDep) -> Response:
    """How many sessions there are, and what they come to together and on average."""
    groups = msgspec.structs.replace(_groups_of(body, organization_id), measures=_SUMMED)

    async def found() -> Found:
        summed = await sums_of_groups(groups, service.warehouse)
        whole = Group((), {name: total or 0 for name, total in summed.sums.items()})
        view = SessionCount(
            count=summed.groups,
            total_cost=summed.sums["cost_usd"] if summed.groups else Decimal(0),
            avg_cost=summed.average("cost_usd"),
            avg_latency=summed.average("average_latency_ms"),
            avg_requests=summed.average("requests"),
            coverage=coverage_of(whole),
        )
        return Found(data=view, shares=shares_of([whole]), is_empty=not summed.groups)

    return await sealed_response(found(), service, organization_id, groups.where)


async def query_names(body: SessionNamesRequest, organization_id: Reader, service: ServiceDep) -> Response:
    """Names of sessions of the last 150 days, those used last first."""
    zone = ClientZone(body.timezone_difference)
    given = parse_group_filter(body.filter, TABLES, zone.zone)
    since = comparison("request_created_at", Operator.GT, whole_milliseconds(service.clock.now() - _NAMES_SINCE))
    where = (name_contains(body.name_contains), since, _within(body.time_filter))
    groups = sessions(organization_id, given, *where, measures=_NAME_MEASURES, by=(BY_NAME,))

    async def found() -> Found:
        page = await page_of_groups(groups, _LAST_USED_FIRST, service.warehouse, limit=_MOST_NAMES)
        return Found(data=[_name(group, zone) for group in page], shares=shares_of(page), is_empty=not page)

    return await sealed_response(found(), service, organization_id, groups.where)


def _groups_of(body: SessionQueryRequest, organization_id: str) -> Groups:
    """Raises: InvalidRequest."""
    given = parse_group_filter(body.filter, SESSION_TABLES, ClientZone(body.timezone_difference).zone)
    where = (period_of_range(body.time_filter).filter(), is_found(body.search), is_named(body.name_equals))
    return sessions(organization_id, given, *where, measures=_MEASURES)


def _within(given: MillisecondsRange | None) -> Filter:
    return ALL if given is None else period_of_range(given).filter()


def _session(group: Group, zone: ClientZone) -> SessionView:
    session_id, name = group.by
    fields = figures_named(group, _FIELDS)
    times = {field: zone.local(fields[field]) for field in ("created_at", "latest_request_created_at")}
    return SessionView(
        **{**fields, **times},
        session_id=session_id,
        session_name=name,
        user_ids=group.figures[USER_IDS.name],
        coverage=coverage_of(group),
    )


def _name(group: Group, zone: ClientZone) -> SessionName:
    fields = figures_named(group, _NAME_FIELDS)
    times = {field: zone.local(fields[field]) for field in ("created_at", "first_used", "last_used")}
    return SessionName(**{**fields, **times}, name=group.by[0], coverage=coverage_of(group))
