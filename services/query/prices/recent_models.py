"""Reports on the models of recent requests: what both lists of models that need attention are made from."""

from typing import Annotated, Final

from fastapi import Query

from schemas.tables import REQUEST_RESPONSE
from services.query.reports.period import Period
from services.sql.measures import Measure
from services.sql.nodes import And, Dimension, Filter, Report

MAX_MODELS: Final = 1000  # that are shown

Since = Annotated[str, Query(description="90m, 24h, 7d, 4w, or ISO 8601")]


def recent_models(
    organization_id: str, period: Period, where: Filter, measures: tuple[Measure, ...], *by: Dimension
) -> Report:
    """One group more than is shown, where there are more."""
    return Report(
        table=REQUEST_RESPONSE,
        organization_id=organization_id,
        where=And((period.filter(), where)),
        measures=measures,
        by=by,
        limit=MAX_MODELS + 1,
    )
