"""Values of one property: which there are, and which cost most."""

from typing import Final

from fastapi import Response

from schemas.api.groups import Coverage
from schemas.api.properties import OverTimeRequest, PropertyOverTime, SearchRequest, TopRequest, ValueCost, ValueCount
from schemas.errors import InvalidRequest
from schemas.tables import REQUEST_RESPONSE, Operator
from services.query.dependencies import ServiceDep
from services.query.http.auth import Reader
from services.query.reports.buckets import INCREMENTS, bucket_start, buckets_of
from services.query.reports.client_time import ClientZone, period_of_range
from services.query.reports.grouped import coverage_of
from services.query.reports.groups import Group
from services.query.reports.sealed import Found, run_with_shares, sealed_response
from services.query.reports.totals import SPEND, rest_of, spend_of, spend_totals_of, sum_of
from services.sql.measures import MEASURES, Measure
from services.sql.nodes import And, ByTime, Compare, Everything, Filter, Report
from services.sql.parse import has_property, parse_filter, property_target
from services.sql.sort import group_by_property

MAX_VALUES: Final = 25  # of a search
TOP: Final = 10
OTHER: Final = "Other"
_MAX_GROUPS: Final = 50_000  # of values in time


async def search_values(key: str, body: SearchRequest, organization_id: Reader, service: ServiceDep) -> Response:
    """The most used values that contain a text, at most 25."""
    column, name = property_target(key)
    holds = Compare(column=column, operator=Operator.CONTAINS, value=body.search_term, key=name)
    where = And((has_property(key), holds if body.search_term else Everything()))
    requests = (MEASURES["requests"],)
    report = _report(organization_id, where, key, requests, MAX_VALUES)

    async def found() -> Found:
        shares, _, groups = await run_with_shares(report, service.warehouse)
        return Found(data=[_value(group) for group in groups], shares=shares)

    return await sealed_response(found(), service, organization_id, Everything(), report.by)


async def top_costs(key: str, body: TopRequest, organization_id: Reader, service: ServiceDep) -> Response:
    """The ten values that cost most, and all others together."""
    where = period_of_range(body.time_filter).filter()
    report = _report(organization_id, where, key, SPEND, TOP)

    async def found() -> Found:
        shares, total, groups = await run_with_shares(report, service.warehouse)
        views = [_cost(_value(group), group) for group in groups]
        rest = rest_of(spend_totals_of(total), sum_of(spend_totals_of(group) for group in groups))
        if rest.attempts and rest.cost_usd != 0:
            spend = spend_of(rest)
            views.append(ValueCost(value=OTHER, cost=spend.pop("cost_usd"), coverage=Coverage(**spend)))
        return Found(data=views, shares=shares)

    return await sealed_response(found(), service, organization_id, where, report.by)


async def top_requests(key: str, body: TopRequest, organization_id: Reader, service: ServiceDep) -> Response:
    """The ten values with most requests, and all others together."""
    where = period_of_range(body.time_filter).filter()
    requests = (MEASURES["requests"],)
    report = _report(organization_id, where, key, requests, TOP)

    async def found() -> Found:
        shares, total, groups = await run_with_shares(report, service.warehouse)
        views = [ValueCount(value=_value(group), count=group.figures["requests"]) for group in groups]
        rest = total.figures["requests"] - sum(view.count for view in views)
        return Found(data=[*views, ValueCount(value=OTHER, count=rest)] if rest else views, shares=shares)

    return await sealed_response(found(), service, organization_id, where, report.by)


async def over_time(body: OverTimeRequest, organization_id: Reader, service: ServiceDep) -> Response:
    """What each value cost in each bucket of time, where there are any requests."""
    zone = ClientZone(body.time_zone_difference)
    period = period_of_range(body.time_filter, zone.zone)
    buckets_of(period, body.db_increment, zone.zone)
    where = And((period.filter(), parse_filter(body.user_filter, zone.zone), has_property(body.property_key)))
    by = (ByTime(INCREMENTS[body.db_increment], zone.name), group_by_property(body.property_key))
    report = Report(
        table=REQUEST_RESPONSE,
        organization_id=organization_id,
        where=where,
        measures=SPEND,
        by=by,
        order_by=None,
        descending=False,
        limit=_MAX_GROUPS + 1,
    )

    async def found() -> Found:
        shares, _, groups = await run_with_shares(report, service.warehouse)
        if len(groups) > _MAX_GROUPS:
            raise InvalidRequest(f"there are more than {_MAX_GROUPS:,} values in time: take a longer dbIncrement")
        return Found(data=[_in_time(group, zone) for group in groups], shares=shares, is_empty=not groups)

    return await sealed_response(found(), service, organization_id, where, by)


def _report(organization_id: str, where: Filter, key: str, measures: tuple[Measure, ...], limit: int) -> Report:
    """By value, the largest first measure first."""
    return Report(
        table=REQUEST_RESPONSE,
        organization_id=organization_id,
        where=where,
        measures=measures,
        by=(group_by_property(key),),
        limit=limit,
    )


def _value(group: Group) -> str:
    return group.by[-1] or ""


def _cost(value: str, group: Group) -> ValueCost:
    return ValueCost(value=value, cost=group.figures["cost_usd"], coverage=coverage_of(group))


def _in_time(group: Group, zone: ClientZone) -> PropertyOverTime:
    return PropertyOverTime(
        property=_value(group),
        total_cost=group.figures["cost_usd"],
        request_count=group.figures["requests"],
        created_at_trunc=bucket_start(group.by[0], zone.zone),
        coverage=coverage_of(group),
    )
