"""How requests, durations and costs are distributed over sessions."""

import asyncio

from fastapi import Response

from schemas.api.groups import AverageRow
from schemas.api.sessions import SessionAverages, SessionMetrics, SessionNamesRequest
from services.query.dependencies import ServiceDep
from services.query.http.auth import Reader
from services.query.reports.client_time import ClientZone, period_of_range
from services.query.reports.grouped import histogram_of, sums_of_groups
from services.query.reports.groups import Group
from services.query.reports.sealed import Found, sealed_response, shares_of
from services.query.reports.totals import SPEND
from services.query.sessions.groups import ALL, is_named, sessions
from services.sql.group_measures import DURATION
from services.sql.group_tables import SESSION_TABLES, parse_group_filter
from services.sql.grouping import Groups, PSize
from services.sql.measures import MEASURES, Measure

_MEASURES = (MEASURES["requests"], DURATION, MEASURES["cost_usd"])
_ALSO = tuple(measure for measure in SPEND if measure not in _MEASURES)


async def session_metrics(body: SessionNamesRequest, organization_id: Reader, service: ServiceDep) -> Response:
    """Requests, seconds and dollars of sessions; `nameContains` is the whole name here, as in Helicone."""
    given = parse_group_filter(body.filter, SESSION_TABLES, ClientZone(body.timezone_difference).zone)
    period = ALL if body.time_filter is None else period_of_range(body.time_filter).filter()

    def of_sessions(*measures: Measure) -> Groups:
        return sessions(organization_id, given, is_named(body.name_contains), period, measures=measures)

    async def found() -> Found:
        size, opposite = PSize(body.p_size), body.use_interquartile
        summed = await sums_of_groups(of_sessions(*_MEASURES, *_ALSO), service.warehouse)
        whole = Group((), {name: total or 0 for name, total in summed.sums.items()})
        counts, durations, costs = await asyncio.gather(
            *(histogram_of(of_sessions(one), size, service.warehouse, interquartile=opposite) for one in _MEASURES)
        )
        averages = [[AverageRow(average=summed.average(measure.name))] for measure in _MEASURES]
        view = SessionMetrics(
            session_count=counts,
            session_duration=durations,
            session_cost=costs,
            average=SessionAverages(session_count=averages[0], session_duration=averages[1], session_cost=averages[2]),
        )
        return Found(data=view, shares=shares_of([whole]), is_empty=not summed.groups)

    return await sealed_response(found(), service, organization_id, of_sessions().where)
