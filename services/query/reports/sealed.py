"""Reports with their seal: what waited before the rows were read, and how much of them has a price."""

from collections.abc import Awaitable, Iterable, Mapping, Sequence
from typing import Final

import msgspec
from fastapi import Response

from schemas.api.requests import NameWarning
from schemas.api.seal import SealView, seal_view
from schemas.seal import Seal
from schemas.usage import TOKEN_CLASSES
from services.ports.warehouse import QueryableWarehouse, Row
from services.query.dependencies import Service
from services.query.http.responses import json_response
from services.query.reports.groups import Group, run_groupings
from services.query.reports.totals import share_of, spend_of, spend_totals_of, sum_of
from services.sql.measures import MEASURES
from services.sql.names import names_of
from services.sql.nodes import Comparison, Dimension, Filter, Report

_REQUEST_SHARE: Final = msgspec.structs.replace(MEASURES["priced_request_share"], name="seal_request_share")
_TOKEN_SHARE: Final = msgspec.structs.replace(MEASURES["priced_token_share"], name="seal_token_share")
_OWN: Final = frozenset({_REQUEST_SHARE.name, _TOKEN_SHARE.name})


class Shares(msgspec.Struct, frozen=True, kw_only=True):
    """How much of some requests has a price; None of no requests, and where no costs are shown."""

    priced_request_share: float | None = None
    priced_token_share: float | None = None


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What is shown of some requests, and what else stands beside it."""

    data: object
    shares: Shares = Shares()
    beside: Mapping[str, object] = {}
    is_empty: bool = False  # as nothing fulfils the filter
    warnings: Sequence[NameWarning] = ()  # of other names than those of requests


async def sealed_response(
    found: Awaitable[Found], service: Service, organization_id: str, where: Filter, by: Sequence[Dimension] = ()
) -> Response:
    """`sealed_found` as JSON."""
    shown, seal, warnings = await sealed_found(found, service, organization_id, where, by)
    return json_response({"data": shown.data, "error": None, **shown.beside, "seal": seal, "warnings": warnings})


async def sealed_found(
    found: Awaitable[Found], service: Service, organization_id: str, where: Filter, by: Sequence[Dimension] = ()
) -> tuple[Found, SealView, list[NameWarning]]:
    """`found`, the seal from before it, and warnings of names in `where` and `by` that no request has."""
    names = names_of(where, by)
    seal = await service.seals.current()  # first: rows may be newer than their seal, and never older
    shown, warnings = await service.names.beside(organization_id, names, found, is_empty=lambda shown: shown.is_empty)
    return shown, sealed(seal, shown.shares), [*warnings, *shown.warnings]


def sealed(seal: Seal, shares: Shares) -> SealView:
    return seal_view(seal, **msgspec.structs.asdict(shares))


async def run_sealed_report(report: Report, service: Service) -> tuple[SealView, Group, list[Group]]:
    """The seal, and what `run_report` returns. Raises: StoreUnavailable."""
    seal = await service.seals.current()
    shares, total, groups = await run_with_shares(report, service.warehouse)
    return sealed(seal, shares), total, groups


async def run_with_shares(
    query: Report | Comparison, warehouse: QueryableWarehouse
) -> tuple[Shares, Group, list[Group]]:
    """The shares of the total, of a comparison in the later period; the total, the groups. Raises: StoreUnavailable."""
    (found,) = await run_all_with_shares((query,), warehouse)
    return found


async def run_all_with_shares(
    queries: Sequence[Report | Comparison], warehouse: QueryableWarehouse
) -> list[tuple[Shares, Group, list[Group]]]:
    """Of each of `queries` what `run_with_shares` returns. Raises: StoreUnavailable."""
    found = await run_groupings([_with_own(query) for query in queries], warehouse)
    return [_shared(total, groups) for total, groups in found]


def _shared(total: Group, groups: Sequence[Group]) -> tuple[Shares, Group, list[Group]]:
    shares = Shares(
        priced_request_share=total.figures[_REQUEST_SHARE.name],
        priced_token_share=total.figures[_TOKEN_SHARE.name],
    )
    return shares, _without_own(total), [_without_own(group) for group in groups]


def shares_of(groups: Iterable[Group]) -> Shares:
    """Of groups with the measures `SPEND`."""
    spend = spend_of(sum_of(spend_totals_of(group) for group in groups))
    return Shares(**{name: spend[name] for name in Shares.__struct_fields__})


def seal_of_rows(seal: Seal, rows: Sequence[Row]) -> SealView:
    """Of a page of requests, read after `seal`."""
    priced = [row for row in rows if row["cost_usd"] is not None]
    return seal_view(
        seal,
        priced_request_share=share_of(len(priced), len(rows)),
        priced_token_share=share_of(_tokens(priced), _tokens(rows)),
    )


def _with_own(query: Report | Comparison) -> Report | Comparison:
    report = query if isinstance(query, Report) else query.report
    shared = msgspec.structs.replace(report, measures=(*report.measures, _REQUEST_SHARE, _TOKEN_SHARE))
    return shared if isinstance(query, Report) else msgspec.structs.replace(query, report=shared)


def _without_own(group: Group) -> Group:
    figures, previous = (
        {name: figure for name, figure in of.items() if name not in _OWN} for of in (group.figures, group.previous)
    )
    return msgspec.structs.replace(group, figures=figures, previous=previous)


def _tokens(rows: Sequence[Row]) -> int:
    return sum(row[name] for row in rows for name in TOKEN_CLASSES)
