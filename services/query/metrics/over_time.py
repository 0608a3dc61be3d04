"""Figures over time: one element a bucket, without gaps."""

from collections.abc import Callable, Coroutine, Mapping
from datetime import datetime
from typing import Any, Final

import msgspec
from fastapi import Response

from schemas.api.groups import Coverage
from schemas.api.metrics import (
    CacheRequest,
    CostInTime,
    CountInTime,
    DetailedTokensInTime,
    FirstTokenInTime,
    InTime,
    LatencyInTime,
    MetricsOverTimeRequest,
    ModelInTime,
    QuantilesInTime,
    QuantilesRequest,
    RequestsInTime,
    TokensInTime,
)
from schemas.errors import InvalidRequest
from schemas.tables import REQUEST_RESPONSE, Operator
from services.query.dependencies import Service, ServiceDep
from services.query.http.auth import Reader
from services.query.reports.buckets import INCREMENTS, bucket_start, buckets_of
from services.query.reports.client_time import ClientZone, period_of_range
from services.query.reports.grouped import coverage_of
from services.query.reports.groups import Group
from services.query.reports.sealed import Found, run_with_shares, sealed_response
from services.query.reports.totals import SPEND
from services.sql.group_measures import TIME_TO_FIRST_TOKEN, quantiles_of
from services.sql.measures import MEASURES, Measure
from services.sql.nodes import And, ByColumn, ByTime, Everything, Filter, Not, Report, comparison
from services.sql.parse import parse_filter

Endpoint = Callable[..., Coroutine[Any, Any, Response]]

_MAX_GROUPS: Final = 50_000
_NOTHING: Final = Coverage(
    requests=0,
    attempts=0,
    unpriced_requests=0,
    priced_request_share=None,
    priced_token_share=None,
    unpriced_requests_without_tokens=0,
)


class Series(msgspec.Struct, frozen=True, kw_only=True):
    """What a bucket shows: fields of a view, each of one measure; and perhaps a field to group by."""

    view: type[InTime]
    fields: Mapping[str, Measure]
    where: Filter = Everything()
    by: ByColumn | None = None
    without: Any = None  # the value of that field in a bucket without requests
    covered: bool = False  # with the coverage of costs

    @property
    def measures(self) -> tuple[Measure, ...]:
        return tuple(dict.fromkeys((*self.fields.values(), *(SPEND if self.covered else ()))))


def _measured(**names: str) -> Mapping[str, Measure]:
    return {field: MEASURES[name] for field, name in names.items()}


_COUNT: Final = _measured(count="requests")
_TOKENS: Final = ("prompt_tokens", "completion_tokens")
_DETAILS: Final = ("reasoning_tokens", "prompt_cache_read_tokens", "prompt_cache_write_tokens")

# By the last part of the path.
SERIES: Final[Mapping[str, Series]] = {
    "requestOverTime": Series(view=RequestsInTime, fields=_COUNT),
    "costOverTime": Series(view=CostInTime, fields=_measured(cost="cost_usd"), covered=True),
    "tokensOverTime": Series(view=TokensInTime, fields=_measured(**{name: name for name in _TOKENS})),
    "detailedTokensOverTime": Series(
        view=DetailedTokensInTime, fields=_measured(**{name: name for name in (*_TOKENS, *_DETAILS)})
    ),
    "modelUsageOverTime": Series(
        view=ModelInTime,
        fields=_measured(request_count="requests", total_tokens="total_tokens"),
        by=ByColumn(REQUEST_RESPONSE.columns["model"]),
        without="",
    ),
    "latencyOverTime": Series(
        view=LatencyInTime,
        fields=_measured(duration="average_latency_ms"),
        where=Not(comparison("model", Operator.CONTAINS, "-batch")),
    ),
    "timeToFirstToken": Series(view=FirstTokenInTime, fields={"ttft": TIME_TO_FIRST_TOKEN}),
    "usersOverTime": Series(view=CountInTime, fields=_measured(count="active_users")),
    # Nothing is checked for threats, so none is found.
    "threatsOverTime": Series(view=CountInTime, fields=_COUNT, where=comparison("threat", Operator.EQUALS, True)),
    "errorOverTime": Series(view=CountInTime, fields=_measured(count="errors")),
    "requestStatusOverTime": Series(
        view=RequestsInTime, fields=_COUNT, by=ByColumn(REQUEST_RESPONSE.columns["status"]), without=0
    ),
}
_CACHE_HITS: Final = Series(view=CountInTime, fields=_measured(count="cache_hits"))


def series_of(series: Series) -> Endpoint:
    """The endpoint of one series."""

    async def over_time(body: MetricsOverTimeRequest, organization_id: Reader, service: ServiceDep) -> Response:
        return await _run(series, body, organization_id, service)

    over_time.__doc__ = f"From start to end: {', '.join(series.fields)}."
    return over_time


async def quantiles(body: QuantilesRequest, organization_id: Reader, service: ServiceDep) -> Response:
    """p75 to p99 of a metric, from start to end."""
    measures = quantiles_of(body.metric)
    series = Series(view=QuantilesInTime, fields={measure.name: measure for measure in measures})
    return await _run(series, body, organization_id, service)


async def cache_hits_over_time(body: CacheRequest, organization_id: Reader, service: ServiceDep) -> Response:
    """Responses from the response cache, from start to end."""
    return await _run(_CACHE_HITS, body, organization_id, service)


async def _run(
    series: Series, body: MetricsOverTimeRequest | CacheRequest, organization_id: str, service: Service
) -> Response:
    """Raises: InvalidRequest, StoreUnavailable."""
    zone = ClientZone(body.time_zone_difference)
    period = period_of_range(body.time_filter, zone.zone)
    starts = buckets_of(period, body.db_increment, zone.zone)
    in_time = ByTime(INCREMENTS[body.db_increment], zone.name)
    report = Report(
        table=REQUEST_RESPONSE,
        organization_id=organization_id,
        where=And((period.filter(), parse_filter(body.filter, zone.zone), series.where)),
        measures=series.measures,
        by=(in_time,) if series.by is None else (in_time, series.by),
        order_by=None,
        descending=False,
        limit=_MAX_GROUPS + 1,
    )

    async def found() -> Found:
        shares, _, groups = await run_with_shares(report, service.warehouse)
        if len(groups) > _MAX_GROUPS:
            raise InvalidRequest(f"there are more than {_MAX_GROUPS:,} elements: take a longer dbIncrement")
        groups_at: dict[datetime, list[Group]] = {}
        for group in groups:
            groups_at.setdefault(bucket_start(group.by[0], zone.zone), []).append(group)
        views = [view for start in starts for view in _views(series, start, groups_at.get(start, []))]
        return Found(data=views, shares=shares, is_empty=not groups)

    return await sealed_response(found(), service, organization_id, report.where)


def _views(series: Series, start: datetime, groups: list[Group]) -> list[InTime]:
    """The elements of one bucket: one for each group, or one without requests."""
    if not groups:
        return [_view(series, start, dict.fromkeys(series.fields, 0), series.without, _NOTHING)]
    return [
        _view(
            series,
            start,
            {field: group.figures[measure.name] for field, measure in series.fields.items()},
            group.by[-1] or series.without,
            coverage_of(group) if series.covered else _NOTHING,
        )
        for group in groups
    ]


def _view(series: Series, start: datetime, fields: dict[str, Any], value: Any, coverage: Coverage) -> InTime:
    if series.by is not None:
        fields[series.by.column.name] = value
    if series.covered:
        fields["coverage"] = coverage
    return series.view(time=start, **fields)
