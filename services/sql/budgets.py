"""What was spent in the window of a budget: by value of its segment and by slot, as its counters should hold it; the
values that spent most; and what the budget did.
"""

from datetime import datetime
from typing import Final

from msgspec.structs import replace

from schemas.budget import BUDGET_PROPERTY, STATUS_PROPERTY, Budget, Period, Segment
from schemas.statement import Statement
from schemas.tables import REQUEST_RESPONSE, Operator
from services.sql.filters import compile_filter
from services.sql.nodes import And, Compare, Filter, comparison
from services.sql.scope import Scope, from_rows

_UNPRICED: Final = "countIf(cost_usd IS NULL) AS unpriced"
_SUMS: Final = f"sum(cost_usd) AS usd, {_UNPRICED}"
# As counters have it: a request of unknown cost counts as what was reserved for it.
_COUNTED_SUMS: Final = f"sum(coalesce(cost_usd, budget_reserved_usd)) AS usd, {_UNPRICED}"
_COLUMNS: Final = {Segment.KEY: "key_id", Segment.USER: "user_id", Segment.SESSION: "session_id"}


def compile_spent(
    budget: Budget, start: datetime, end: datetime, slot_s: int, sealed_until: datetime | None = None
) -> Statement:
    """Rows of `value`, `slot`, `usd` (exact) and `unpriced`, the number of requests whose cost is unknown.

    Of requests made from `start` on and before `end`. Slots are `slot_s` long and counted from 1970; of a calendar
    period there is one, named by its start. With `sealed_until` only what was recorded before, or logged afterwards;
    what has no known cost counts as what was reserved for it.
    """
    scope, value, condition = _counted(budget, start, end)
    slot = f"intDiv(toUnixTimestamp(request_created_at), {scope.bind(slot_s, 'Int64')})"
    if budget.period is not Period.ROLLING:
        slot = scope.bind(int(start.timestamp()), "Int64")
    sums = _SUMS
    if sealed_until is not None:
        sums = _COUNTED_SUMS
        # Logged calls settle nothing in counters: whenever they end, the ledger alone counts them.
        sealed = scope.bind(sealed_until, "DateTime64(3, 'UTC')")
        condition += f" AND (response_created_at < {sealed} OR logged_us > 0)"
    rows = from_rows(REQUEST_RESPONSE, condition, scope)
    return scope.statement(f"SELECT {value} AS value, toInt64({slot}) AS slot, {sums} {rows} GROUP BY value, slot")


def compile_highest(budget: Budget, start: datetime, end: datetime, limit: int) -> Statement:
    """Rows of `value`, `usd` and `unpriced`, those that spent most from `start` on and before `end` first.

    In each row: `counters`, how many values there are in all, and `unpriced_requests`, of all of them.
    """
    scope, value, condition = _counted(budget, start, end)
    rows = from_rows(REQUEST_RESPONSE, condition, scope)
    sums = f"FROM (SELECT {value} AS value, {_COUNTED_SUMS} {rows} GROUP BY value)"
    shown = "value, usd, unpriced, count() OVER () AS counters, sum(unpriced) OVER () AS unpriced_requests"
    order = f"ORDER BY usd DESC, value LIMIT {scope.bind(limit, 'UInt64')}"
    return scope.statement(f"SELECT {shown} {sums} {order}")


def _counted(budget: Budget, start: datetime, end: datetime) -> tuple[Scope, str, str]:
    """The scope of a statement about the requests that count, their value, and the condition that they fulfil."""
    where = And((*_conditions(budget, start, end),))
    scope = Scope(budget.organization_id, where)
    value, condition = _value(budget, scope), compile_filter(where, scope)
    if budget.segment is not Segment.ORGANIZATION:
        condition += f" AND {value} != ''"
    return scope, value, condition


def what_counts(budget: Budget, value: str) -> Filter:
    """Holds for the requests that count for `value`, which is '' for the organization, whenever they were made."""
    return And((*_matching(replace(budget, value=value)),))


def _conditions(budget: Budget, start: datetime, end: datetime) -> list[Filter]:
    created = (
        comparison("request_created_at", Operator.GTE, start),
        comparison("request_created_at", Operator.LT, end),
    )
    return [*created, *_matching(budget)]


def _matching(budget: Budget) -> list[Filter]:
    conditions: list[Filter] = []
    properties = dict(budget.where)
    if budget.value and budget.segment is Segment.PROPERTY:
        properties[budget.property] = budget.value
    elif budget.value:
        conditions.append(comparison(_COLUMNS[budget.segment], Operator.EQUALS, budget.value))
    column = REQUEST_RESPONSE.columns["properties"]
    conditions += [
        Compare(column=column, operator=Operator.EQUALS, value=value, key=name) for name, value in properties.items()
    ]
    return conditions


def _value(budget: Budget, scope: Scope) -> str:
    match budget.segment:
        case Segment.ORGANIZATION:
            return "''"
        case Segment.PROPERTY:
            return f"properties[{scope.bind(budget.property, 'String')}]"
        case Segment.KEY:
            return "toString(key_id)"
        case Segment.USER | Segment.SESSION:
            return _COLUMNS[budget.segment]


def compile_history(budget: Budget, limit: int) -> Statement:
    """The latest requests that `budget` acted on, or would have: rows as `schemas/api/budgets.py` shows them."""
    column = REQUEST_RESPONSE.columns["properties"]
    acted = Compare(column=column, operator=Operator.EQUALS, value=budget.name, key=BUDGET_PROPERTY.lower())
    since = comparison("request_created_at", Operator.GTE, budget.created_at)
    where = And((since, acted))
    scope = Scope(budget.organization_id, where)
    rows = from_rows(REQUEST_RESPONSE, compile_filter(where, scope), scope)
    status = f"properties[{scope.bind(STATUS_PROPERTY.lower(), 'String')}]"
    shown = f"toString(request_id) AS request_id, request_created_at AS created_at, {status} AS status"
    models = "request_model AS requested_model, model"
    order = f"ORDER BY request_created_at DESC, request_id LIMIT {scope.bind(limit, 'UInt64')}"
    return scope.statement(f"SELECT {shown}, user_id, toString(key_id) AS key_id, {models} {rows} {order}")
