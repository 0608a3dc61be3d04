"""`POST /v1/report/anomalies`: what is unusual, the newest or the dearest first, and which groups were not judged."""

from fastapi import Response

from schemas.api.anomalies import AnomaliesRequest
from services.query.dependencies import ServiceDep
from services.query.http.auth import Reader
from services.query.http.csv import WantsCsv, block_lines
from services.query.http.responses import data_response
from services.query.reports.anomalies.plan import plan_of
from services.query.reports.anomalies.search import find_anomalies
from services.query.reports.anomalies.table import anomalies_csv
from services.query.reports.files import facts_of
from services.query.reports.question import question_of
from services.query.reports.sealed import sealed
from services.sql.names import names_of


async def report_anomalies(
    body: AnomaliesRequest, organization_id: Reader, service: ServiceDep, as_csv: WantsCsv
) -> Response:
    """What is unusually high by the hour of the week, how sure that is, and who explains it; also as `text/csv`."""
    now = service.clock.now()
    plan = plan_of(question_of(body, organization_id, now), body, now)
    asked_for = [] if body.by is None else [part for named in plan.groupings for part in named.by]
    seal = await service.seals.current()
    (shares, view), warnings = await service.names.beside(
        organization_id,
        names_of(plan.question.where, asked_for),
        find_anomalies(plan, body, service.warehouse, seal),
        is_empty=lambda found: not found[1].anomalies,
    )
    stamp = sealed(seal, shares)
    if not as_csv:
        return data_response(view, seal=stamp, warnings=warnings)
    count = len(view.anomalies)
    rows = f"{'the first ' if view.truncated else ''}{count} anomal{'y' if count == 1 else 'ies'}"
    facts = facts_of("anomalies", plan.question, rows, stamp, service)
    names = list(dict.fromkeys(name for named in plan.groupings for name in named.names))
    return anomalies_csv(view, names, block_lines(facts), warnings=warnings)
