"""By which names requests were billed: prices go by those, and not by the requested names."""

import contextlib
from datetime import timedelta
from typing import Final

from schemas.api.prices import BILLED_DAYS
from schemas.errors import Unavailable
from schemas.price import PriceTerms
from schemas.tables import REQUEST_RESPONSE, Operator
from services.domain.pricing.price_book import model_matches
from services.query.dependencies import Service
from services.query.reports.groups import run_report
from services.sql.measures import ROWS
from services.sql.nodes import And, Report, comparison
from services.sql.reprices import like_pattern
from services.sql.sort import group_by_column

_MAX_MODELS: Final = 1000  # that are looked at
_SHOWN: Final = 10


async def other_billed_models(organization_id: str, terms: PriceTerms, service: Service) -> list[str]:
    """Models by which requests were billed lately whose requested model `terms` name, and which `terms` do not match.

    The most requests first. Empty also while the warehouse is unavailable: this is only advice.
    """
    since = service.clock.now() - timedelta(days=BILLED_DAYS)
    where = [
        comparison("request_created_at", Operator.GTE, since),
        comparison("request_model", Operator.ILIKE, like_pattern(terms.model)),
        comparison("provider", Operator.ILIKE, like_pattern(terms.provider or "*")),
    ]
    query = Report(
        table=REQUEST_RESPONSE,
        organization_id=organization_id,
        where=And(tuple(where)),
        measures=(ROWS,),
        by=(group_by_column("model"),),
        limit=_MAX_MODELS,
    )
    with contextlib.suppress(Unavailable):
        _, groups = await run_report(query, service.warehouse)
        names = [str(group.by[0]) for group in groups if group.by[0] is not None]
        return [name for name in names if not model_matches(terms.model, name)][:_SHOWN]
    return []
