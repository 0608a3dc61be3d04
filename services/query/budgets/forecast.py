"""Where the spend of a budget is heading, as an alert with the condition `forecast` computes it."""

import asyncio
import logging
from datetime import datetime, timedelta
from typing import Final

from schemas.alert import (
    Aggregation,
    AlertMetric,
    AlertRule,
    AlertState,
    AlertWindow,
    CalendarUnit,
    Condition,
    Threshold,
)
from schemas.api.budgets import CounterView, ForecastView
from schemas.budget import Budget
from schemas.errors import QueryLimitExceeded, Unavailable
from services.alerting.figures import Question
from services.alerting.observe import observe
from services.domain.alerts.turn import ONLY_GROUP
from services.domain.alerts.windows import whole_minute, window_at
from services.ports.warehouse import QueryableWarehouse
from services.sql.alert_measures import alert_measures
from services.sql.budgets import what_counts

_WAIT_S: Final = 2.0  # what was spent is shown without it
_FORESEEN: Final = frozenset(unit.value for unit in CalendarUnit)

logger = logging.getLogger("farebox.query")


async def forecast_of(
    budget: Budget, counter: CounterView, warehouse: QueryableWarehouse, at: datetime
) -> ForecastView | None:
    """Of one counter. None for rolling windows and years, while too little of the period is over, or not known now."""
    if budget.period.value not in _FORESEEN:
        return None
    rule = AlertRule(
        metric=AlertMetric.COST,
        aggregation=Aggregation.SUM,
        thresholds=(Threshold(value=counter.limit_usd, level=AlertState.CRITICAL),),
        window=AlertWindow(calendar=CalendarUnit(budget.period.value), time_zone=budget.time_zone),
        condition=Condition.FORECAST,
    )
    question = Question(
        organization_id=budget.organization_id,
        rule=rule,
        where=what_counts(budget, counter.value),
        by=(),
        measures=alert_measures(rule.metric, rule.aggregation, rule.percentile),
    )
    window = window_at(rule.window, whole_minute(at) + timedelta(minutes=1))
    try:
        async with asyncio.timeout(_WAIT_S):
            seen = (await observe(question, window, warehouse))[ONLY_GROUP]
    except (Unavailable, QueryLimitExceeded, TimeoutError) as error:
        reason = str(error) or "the ledger takes too long"
        logger.warning("the forecast of a budget is not known", extra={"budget": budget.id, "reason": reason})
        return None
    if seen.value is None:
        return None
    is_ahead = counter.spent_usd < counter.limit_usd
    return ForecastView(spent_usd=seen.value, reaches_limit_by=seen.forecast_at if is_ahead else None)
