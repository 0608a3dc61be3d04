"""What the response cache served, and what that saved: the paths of Helicone's dashboard."""

from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec
from fastapi import Response

from schemas.api.metrics import CachedRequest, CacheRequest, HitsCoverage, TopCachedRequest
from schemas.tables import REQUEST_RESPONSE, Operator
from services.query.dependencies import Service, ServiceDep
from services.query.http.auth import Reader
from services.query.reports.client_time import ClientZone, period_of_range
from services.query.reports.grouped import page_of_groups
from services.query.reports.groups import Group
from services.query.reports.sealed import Found, run_with_shares, sealed_response
from services.query.requests.bodies import BodyForm, bodies_of
from services.query.requests.views import ShownBodies
from services.sql.cache_time import compile_time_saved
from services.sql.compile import compile_listing
from services.sql.group_measures import BY_CACHE_REFERENCE
from services.sql.grouping import GroupOrder, Groups
from services.sql.measures import MEASURES
from services.sql.nodes import And, Everything, Filter, Listing, Not, Report, comparison
from services.sql.parse import parse_filter
from services.sql.sort import NEWEST_FIRST

TOP: Final = 10
_SAVED: Final = tuple(MEASURES[name] for name in ("cache_hits", "cache_savings_usd", "unpriced_cache_hits"))
_TOP: Final = (*_SAVED, MEASURES["first_request_at"], MEASURES["last_request_at"])
_IS_HIT: Final = comparison("cached", Operator.EQUALS, True)


async def total_hits(body: CacheRequest, organization_id: Reader, service: ServiceDep) -> Response:
    """How many responses came from the response cache."""
    return await _hits(body, organization_id, service, lambda total: Found(data=total.figures["cache_hits"]))


async def total_savings(body: CacheRequest, organization_id: Reader, service: ServiceDep) -> Response:
    """What they would have cost, in US dollars; null when that is known of none."""
    return await _hits(body, organization_id, service, _savings)


def _savings(total: Group) -> Found:
    return Found(data=total.figures["cache_savings_usd"], beside={"coverage": _coverage(total.figures)})


async def time_saved(body: CacheRequest, organization_id: Reader, service: ServiceDep) -> Response:
    """How many seconds the same responses had taken at first, once for each hit."""
    where = _where(body, body.time_zone_difference)

    async def found() -> Found:
        shares, total, _ = await run_with_shares(_hits_report(organization_id, where), service.warehouse)
        hits = total.figures["cache_hits"]
        (row,) = await service.warehouse.query(compile_time_saved(organization_id, And((_IS_HIT, where))))
        unknown = hits - row["known_hits"]
        seconds = None if unknown == hits and hits else row["saved_ms"] / 1000
        coverage = HitsCoverage(cache_hits=hits, unknown_hits=unknown)
        return Found(data=seconds, shares=shares, beside={"coverage": coverage}, is_empty=not hits)

    return await sealed_response(found(), service, organization_id, where)


async def top_requests(body: TopCachedRequest, organization_id: Reader, service: ServiceDep) -> Response:
    """The ten requests whose responses were served again most often, with their bodies."""
    groups = Groups(
        table=REQUEST_RESPONSE,
        organization_id=organization_id,
        where=And((_IS_HIT, _where(body))),
        by=(BY_CACHE_REFERENCE,),
        measures=_TOP,
    )

    async def found() -> Found:
        page = await page_of_groups(groups, GroupOrder(measure=0), service.warehouse, limit=TOP)
        originals = await _originals(tuple(str(group.by[0]) for group in page), organization_id, service)
        return Found(data=[_cached(group, originals) for group in page], is_empty=not page)

    return await sealed_response(found(), service, organization_id, groups.where)


def _where(body: CacheRequest | TopCachedRequest, time_zone_difference: int = 0) -> Filter:
    zone = ClientZone(time_zone_difference).zone
    period = Everything() if body.time_filter is None else period_of_range(body.time_filter, zone).filter()
    return And((period, parse_filter(body.filter, zone)))


async def _hits(
    body: CacheRequest, organization_id: str, service: Service, shown: Callable[[Group], Found]
) -> Response:
    """What is `shown` of the total, with its seal."""
    where = _where(body, body.time_zone_difference)

    async def found() -> Found:
        shares, total, _ = await run_with_shares(_hits_report(organization_id, where), service.warehouse)
        return msgspec.structs.replace(shown(total), shares=shares, is_empty=not total.figures["cache_hits"])

    return await sealed_response(found(), service, organization_id, where)


def _hits_report(organization_id: str, where: Filter) -> Report:
    return Report(table=REQUEST_RESPONSE, organization_id=organization_id, where=where, measures=_SAVED)


def _coverage(figures: Mapping[str, Any]) -> HitsCoverage:
    return HitsCoverage(cache_hits=figures["cache_hits"], unknown_hits=figures["unpriced_cache_hits"])


async def _originals(
    ids: tuple[str, ...], organization_id: str, service: Service
) -> Mapping[str, tuple[str, ShownBodies]]:
    """Model and bodies of those of these requests that there are, by id; the latest, where an id was used again."""
    if not ids:
        return {}
    listing = Listing(
        table=REQUEST_RESPONSE,
        organization_id=organization_id,
        where=And((comparison("request_id", Operator.ONE_OF, ids), Not(_IS_HIT))),
        order_by=NEWEST_FIRST,
        limit=2 * TOP,
    )
    rows = await service.warehouse.query(compile_listing(listing))
    bodies = await bodies_of(organization_id, rows, service, BodyForm.ASSEMBLED)
    found = [(str(row["request_id"]), (row["model"], shown)) for row, shown in zip(rows, bodies, strict=True)]
    return dict(reversed(found))


def _cached(group: Group, originals: Mapping[str, tuple[str, ShownBodies]]) -> CachedRequest:
    request_id = str(group.by[0])
    model, bodies = originals.get(request_id, ("", ShownBodies()))
    return CachedRequest(
        request_id=request_id,
        count=group.figures["cache_hits"],
        last_used=group.figures["last_request_at"],
        first_used=group.figures["first_request_at"],
        model=model,
        prompt=_text(bodies.request),
        response=_text(bodies.response),
        saved_usd=group.figures["cache_savings_usd"],
        coverage=_coverage(group.figures),
    )


def _text(body: msgspec.Raw | str | None) -> str | None:
    return bytes(body).decode() if isinstance(body, msgspec.Raw) else body
