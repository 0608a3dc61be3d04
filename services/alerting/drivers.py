"""What stands behind a notice: who and what makes up its value, and why that is not what it was before."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

import msgspec

from schemas.alert import GroupBy
from schemas.notice import Change, Driver, Notice
from services.alerting.figures import Question, Row, dimension_of, exact, is_of, run
from services.domain.alerts.windows import Window, window_at
from services.ports.warehouse import QueryableWarehouse
from services.sql.alert_measures import Fold
from services.sql.measures import ADDED_UP
from services.sql.nodes import And, Dimension

SHOWN: Final = 3
_DIMENSIONS: Final = (
    ("user", GroupBy(name="user_id")),
    ("feature", GroupBy(name="Feature", is_property=True)),
    ("model", GroupBy(name="model")),
)
_SHARE: Final = Decimal("0.0001")
_MICRO: Final = Decimal("1e-6")


async def with_drivers(
    notice: Notice, question: Question, group: Sequence[str | None], window: Window, warehouse: QueryableWarehouse
) -> Notice:
    """`notice` with its drivers and changes; as it was where parts of its value do not add up to it.

    `group` are the values of its group. Raises: StoreUnavailable.
    """
    measures = question.measures
    if measures.fold is not Fold.ADD or measures.divisor is not None or measures.figure.name not in ADDED_UP:
        return notice
    narrowed = msgspec.structs.replace(question, where=And((question.where, *map(is_of, question.by, group))), by=())
    drivers: list[Driver] = []
    total: Row | None = None
    for name, part in _DIMENSIONS:
        dimension = dimension_of(part)
        if dimension in question.by:
            continue
        total, rows = await _run(narrowed, window, warehouse, by=(dimension,))
        drivers += [_driver(name, row, total, measures.figure.name) for row in rows[:SHOWN]]
    if total is None:
        total, _ = await _run(narrowed, window, warehouse)
    before, _ = await _run(narrowed, _before(question, window), warehouse)
    return msgspec.structs.replace(
        notice,
        drivers=tuple(one for one in drivers if one.amount),
        changes=tuple(_changes(before, total, measures.figure.name)),
    )


async def _run(
    question: Question, window: Window, warehouse: QueryableWarehouse, *, by: Sequence[Dimension] = ()
) -> tuple[Row, list[Row]]:
    measures = question.measures.measures
    order_by = measures.index(question.measures.figure)
    return await run(
        question, window.start, window.end, warehouse, by=by, measures=measures, limit=SHOWN, order_by=order_by
    )


def _before(question: Question, window: Window) -> Window:
    """As much of the window before: of a day until noon the day before until noon."""
    if window.closes is None:
        return Window(start=window.start - (window.end - window.start), end=window.start)
    earlier = window_at(question.rule.window, window.start)
    return Window(start=earlier.start, end=min(earlier.start + (window.end - window.start), window.start))


def _driver(dimension: str, row: Row, total: Row, figure: str) -> Driver:
    amount, whole = exact(row.figures[figure]), exact(total.figures[figure])
    share = (amount / whole).quantize(_SHARE) if amount is not None and whole else None
    return Driver(dimension=dimension, value=str(row.by[0] or ""), amount=amount, share=share)


def _changes(before: Row, now: Row, figure: str) -> list[Change]:
    """More requests at what one was, and what one is more than it was."""
    was, is_now = exact(before.figures[figure]), exact(now.figures[figure])
    requests, earlier = int(now.figures["requests"]), int(before.figures["requests"])
    if was is None or is_now is None or not earlier or not requests:
        return []
    of_volume = was / earlier * (requests - earlier)
    causes = [("more requests" if of_volume > 0 else "fewer requests", of_volume)]
    if figure != "requests":
        of_one = is_now - was - of_volume
        causes.append(("more for each request" if of_one > 0 else "less for each request", of_one))
    causes.sort(key=lambda one: -abs(one[1]))
    return [Change(cause=cause, amount=amount.quantize(_MICRO)) for cause, amount in causes if amount]
