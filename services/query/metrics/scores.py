"""What requests were scored, in time."""

from typing import Final

from fastapi import Response

from schemas.api.scores import ScoreInTime, ScoresOverTimeRequest
from schemas.errors import InvalidRequest
from services.query.dependencies import ServiceDep
from services.query.http.auth import Reader
from services.query.reports.buckets import INCREMENTS, bucket_start, buckets_of
from services.query.reports.client_time import ClientZone, period_of_range
from services.query.reports.sealed import Found, sealed_response
from services.sql.nodes import And, ByTime
from services.sql.parse import parse_filter
from services.sql.scores import compile_scores_in_time

_MAX_SCORES: Final = 50_000  # in time


async def scores_over_time(body: ScoresOverTimeRequest, organization_id: Reader, service: ServiceDep) -> Response:
    """The average of each score in each bucket of time that has any."""
    zone = ClientZone(body.time_zone_difference)
    period = period_of_range(body.time_filter, zone.zone)
    buckets_of(period, body.db_increment, zone.zone)
    where = And((period.filter(), parse_filter(body.user_filter, zone.zone)))
    in_time = ByTime(INCREMENTS[body.db_increment], zone.name)
    statement = compile_scores_in_time(organization_id, where, in_time, _MAX_SCORES + 1)

    async def found() -> Found:
        rows = await service.warehouse.query(statement)
        if len(rows) > _MAX_SCORES:
            raise InvalidRequest(f"there are more than {_MAX_SCORES:,} scores in time: take a longer dbIncrement")
        views = [
            ScoreInTime(
                score_key=row["d1"],
                score_sum=row["m0"],
                created_at_trunc=bucket_start(row["d0"], zone.zone),
                scored_requests=row["m1"],
            )
            for row in rows
        ]
        return Found(data=views, is_empty=not rows)

    return await sealed_response(found(), service, organization_id, where)
