"""Users by what they sent and cost: pages of them, and how requests and costs are distributed over them."""

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from fastapi import Response

from schemas.api.groups import MAX_PAGE
from schemas.api.users import (
    UserMetrics,
    UserMetricsRequest,
    UserOverview,
    UserOverviewRequest,
    UserQueryRequest,
    UsersPage,
    UserTotals,
)
from schemas.errors import InvalidRequest, Rejected
from schemas.tables import REQUEST_RESPONSE, Operator
from services.query.dependencies import ServiceDep
from services.query.http.auth import Reader
from services.query.reports.client_time import ClientZone, period_of_range
from services.query.reports.grouped import (
    coverage_of,
    figures_named,
    histogram_of,
    page_of_groups,
    sums_of_groups,
)
from services.query.reports.groups import Group
from services.query.reports.sealed import Found, sealed_response, shares_of
from services.query.reports.totals import SPEND
from services.sql.compile import compile_candidates
from services.sql.group_measures import ACTIVE_DAYS, RATE_LIMITED, REQUESTS_PER_DAY, TOKENS_PER_REQUEST
from services.sql.group_tables import USER_TABLES, parse_group_filter
from services.sql.grouping import GroupOrder, Groups, PSize
from services.sql.measures import MEASURES, Measure
from services.sql.nodes import And, ByColumn, Everything, Filter, Listing, Not, Or, comparison
from services.sql.sort import NEWEST_FIRST
from services.sql.values import MAX_VALUE, shown

_BY_USER: Final = ByColumn(REQUEST_RESPONSE.columns["user_id"])
_ALL: Final = Everything()
_MOST_USERS: Final = 100  # of `/v1/user/query`, as in Helicone

# The fields of a user that are measures.
_FIELDS: Final[Mapping[str, Measure]] = {
    "active_for": ACTIVE_DAYS,
    "first_active": MEASURES["first_request_at"],
    "last_active": MEASURES["last_request_at"],
    "total_requests": MEASURES["requests"],
    "average_requests_per_day_active": REQUESTS_PER_DAY,
    "average_tokens_per_request": TOKENS_PER_REQUEST,
    "total_completion_tokens": MEASURES["completion_tokens"],
    "total_prompt_tokens": MEASURES["prompt_tokens"],
    "cost": MEASURES["cost_usd"],
    "rate_limited_count": RATE_LIMITED,
}
_MEASURES: Final = tuple(dict.fromkeys((*_FIELDS.values(), *SPEND)))
_NAMES: Final = {field: measure.name for field, measure in _FIELDS.items()}


async def user_metrics(body: UserMetricsRequest, organization_id: Reader, service: ServiceDep) -> Response:
    """A page of users with what they sent and cost, and how many there are."""
    if body.limit > MAX_PAGE:
        raise Rejected(f"Limit cannot be greater than {MAX_PAGE}")
    order = _order(body.sort)
    zone = ClientZone(body.time_zone_difference_minutes)
    given = parse_group_filter(body.filter, USER_TABLES, zone.zone)
    period = _ALL if body.time_filter is None else period_of_range(body.time_filter).filter()
    groups = _users(organization_id, And((period, given.where)), _MEASURES, given.having)

    async def found() -> Found:
        users, sums, has_users = await asyncio.gather(
            page_of_groups(groups, order, service.warehouse, limit=body.limit, offset=body.offset),
            sums_of_groups(_users(organization_id, groups.where, (), given.having), service.warehouse),
            _has_users(organization_id, service),
        )
        page = UsersPage(users=[_user(group, zone) for group in users], count=sums.groups, has_users=has_users)
        return Found(data=page, shares=shares_of(users), is_empty=not sums.groups)

    return await sealed_response(found(), service, organization_id, given.where)


async def user_overview(body: UserOverviewRequest, organization_id: Reader, service: ServiceDep) -> Response:
    """How many users have how many requests, and how many cost how much."""
    given = parse_group_filter(body.filter, USER_TABLES)

    def of_users(name: str) -> Groups:
        return _users(organization_id, given.where, (MEASURES[name],), given.having)

    async def found() -> Found:
        size = PSize(body.p_size)
        requests, costs = await asyncio.gather(
            *(
                histogram_of(of_users(name), size, service.warehouse, interquartile=body.use_interquartile)
                for name in ("requests", "cost_usd")
            )
        )
        return Found(data=UserOverview(request_count=requests, user_cost=costs), is_empty=not requests)

    return await sealed_response(found(), service, organization_id, given.where)


async def query_users(body: UserQueryRequest, organization_id: Reader, service: ServiceDep) -> Response:
    """Sums of users, of those with these ids where they are given; the first hundred by cost."""
    period = _ALL if body.time_filter is None else period_of_range(body.time_filter).filter()
    measures = (*SPEND, MEASURES["prompt_tokens"], MEASURES["completion_tokens"])
    groups = _users(organization_id, And((period, _named(body.user_ids))), measures)

    async def found() -> Found:
        users = await page_of_groups(groups, GroupOrder(measure=0), service.warehouse, limit=_MOST_USERS)
        return Found(data=[_totals(group) for group in users], shares=shares_of(users), is_empty=not users)

    return await sealed_response(found(), service, organization_id, groups.where)


def _users(organization_id: str, where: Filter, measures: tuple[Measure, ...], having: Filter = _ALL) -> Groups:
    return Groups(
        table=REQUEST_RESPONSE,
        organization_id=organization_id,
        where=where,
        by=(_BY_USER,),
        measures=measures,
        having=having,
    )


def _order(sort: Mapping[str, Any]) -> GroupOrder:
    """Raises: InvalidRequest."""
    if len(sort) > 1:
        raise InvalidRequest(f"sort takes one key, not {len(sort)}")
    name, direction = next(iter(sort.items()), ("last_active", "desc"))
    if direction not in ("asc", "desc"):
        raise InvalidRequest(f"sort {shown(name)} takes asc or desc, not {shown(direction)}")
    if name in ("id", "user_id"):
        return GroupOrder(measure=None, descending=direction == "desc")
    if name not in _FIELDS:
        raise InvalidRequest(f"unknown sort {shown(name)}: known are {', '.join(sorted((*_FIELDS, 'id', 'user_id')))}")
    return GroupOrder(measure=_MEASURES.index(_FIELDS[name]), descending=direction == "desc")


def _named(user_ids: list[str] | None) -> Filter:
    """Raises: InvalidRequest."""
    if not user_ids:
        return _ALL
    if any(len(user_id) > MAX_VALUE for user_id in user_ids):
        raise InvalidRequest(f"userIds: an id has at most {MAX_VALUE} characters")
    return Or(tuple(comparison("user_id", Operator.EQUALS, user_id) for user_id in dict.fromkeys(user_ids)))


async def _has_users(organization_id: str, service: ServiceDep) -> bool:
    """Whether any row names a user: found by looking at one."""
    named = Listing(
        table=REQUEST_RESPONSE,
        organization_id=organization_id,
        where=Not(comparison("user_id", Operator.EQUALS, "")),
        order_by=NEWEST_FIRST,
        limit=1,
        reach=1,
    )
    (found,) = await service.warehouse.query(compile_candidates(named))
    return bool(found["candidates"])


def _user(group: Group, zone: ClientZone) -> UserMetrics:
    (user_id,) = group.by
    fields = figures_named(group, _NAMES)
    times = {name: zone.local(fields[name]) for name in ("first_active", "last_active")}
    return UserMetrics(**{**fields, **times}, id=user_id, user_id=user_id, coverage=coverage_of(group))


def _totals(group: Group) -> UserTotals:
    names = {"prompt_tokens": "prompt_tokens", "completion_tokens": "completion_tokens", "cost": "cost_usd"}
    fields = figures_named(group, {**names, "count": "requests"})
    return UserTotals(**fields, user_id=group.by[0], coverage=coverage_of(group))
