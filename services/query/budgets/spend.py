"""What a user, a key, a session or a value of a property has spent, for applications that limit by themselves.

The query service serves it, in both shapes: it has the counters as the proxies have them, and the ledger for what no
budget counts.
"""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Final

from fastapi import Depends, Query, Response
from msgspec.structs import replace

from schemas.api.budgets import CounterView, Freshness, SpendView
from schemas.budget import Budget, Period, Segment
from schemas.errors import InvalidRequest, NotFound
from services.domain.budgets.definition import checked_budget
from services.query.budgets.counters import counter_views
from services.query.dependencies import Service, ServiceDep
from services.query.http.auth import ReaderKey
from services.query.http.responses import data_response

_MOST: Final = 512  # characters of a value


class SpendQuery:
    """Whose spending, of which period."""

    def __init__(
        self,
        key: ReaderKey,
        user: Annotated[str, Query(max_length=_MOST, description="A user's id")] = "",
        session: Annotated[str, Query(max_length=_MOST, description="A session's id")] = "",
        property: Annotated[str, Query(max_length=_MOST, description="Name of a property, with its `value`")] = "",  # noqa: A002
        value: Annotated[str, Query(max_length=_MOST, description="The value of the property")] = "",
        period: Annotated[Period, Query(description="Ends now; calendar periods begin in `time_zone`")] = Period.MONTH,
        window_s: Annotated[int, Query(ge=0, description="Length of a rolling period")] = 0,
        time_zone: Annotated[str, Query(max_length=64, description="IANA name")] = "UTC",
        budget: Annotated[str, Query(max_length=100, description="Name or id of the budget that counts it")] = "",
    ) -> None:
        """Without a user, session or property that of the key that asks. A budget decides the period."""
        self.organization_id = key.organization_id
        self.budget = budget
        self.property = property
        chosen = [
            (segment, given)
            for segment, given in ((Segment.USER, user), (Segment.SESSION, session), (Segment.PROPERTY, value))
            if given
        ]
        if len(chosen) > 1 or bool(property) != bool(value):
            raise InvalidRequest("ask for one of user, session, or property with its value; or for none, for the key")
        self.segment, self.value = chosen[0] if chosen else (Segment.KEY, key.id)
        self._period, self._window_s, self._time_zone = period, window_s, time_zone

    def as_budget(self, at: datetime) -> Budget:
        """One that counts what is asked for. Raises: InvalidRequest."""
        return checked_budget(
            Budget(
                id="",
                organization_id=self.organization_id,
                name="-",
                limit_usd=Decimal(1),
                segment=self.segment,
                property=self.property,
                value=self.value,
                period=self._period,
                window_s=self._window_s,
                time_zone=self._time_zone,
                created_at=at,
                changed_at=at,
            )
        )


async def my_spend(
    query: Annotated[SpendQuery, Depends()],
    service: ServiceDep,
) -> Response:
    """What was spent in a period: by a budget's counter where one counts it, which is up to date with every request
    that has ended; else by the ledger, as of a few seconds ago."""
    now = service.clock.now()
    budgets = await service.budgets.budgets_of(query.organization_id)
    budget = _named(budgets, query) if query.budget else _counting(budgets, query.as_budget(now))
    if budget is None:
        return data_response(await _by_ledger(service, query.as_budget(now)))
    value = "" if budget.segment is Segment.ORGANIZATION else query.value
    [counter] = await counter_views(service, budget, [value], now)
    return data_response(_by_counter(budget, counter))


def _named(budgets: Sequence[Budget], query: SpendQuery) -> Budget:
    """Raises: NotFound, InvalidRequest."""
    found = next((one for one in budgets if query.budget in (one.id, one.name)), None)
    if found is None:
        raise NotFound(f"there is no budget {query.budget!r}")
    counts = found.segment is query.segment and found.property == query.property.lower()
    if found.segment is not Segment.ORGANIZATION and not (counts and found.value in ("", query.value)):
        what = found.property or found.segment.value
        raise InvalidRequest(f"the budget {found.name!r} counts by {what}{f' {found.value!r}' if found.value else ''}")
    return found


def _counting(budgets: Sequence[Budget], wanted: Budget) -> Budget | None:
    """One whose counter holds exactly what is wanted; None without one."""
    for one in budgets:
        same = replace(
            one, segment=wanted.segment, property=wanted.property, period=wanted.period, window_s=wanted.window_s
        )
        if same == one and one.value in ("", wanted.value) and not one.where and _same_zone(one, wanted):
            return one
    return None


def _same_zone(one: Budget, other: Budget) -> bool:
    return one.period is Period.ROLLING or one.time_zone == other.time_zone


def _by_counter(budget: Budget, counter: CounterView) -> SpendView:
    return SpendView(
        segment=budget.segment,
        property=budget.property,
        value=counter.value,
        period=budget.period,
        time_zone=budget.time_zone,
        starts_at=counter.starts_at,
        resets_at=counter.resets_at,
        spent_usd=counter.spent_usd,
        unpriced_requests=None,
        budget=budget.name,
        limit_usd=counter.limit_usd,
        remaining_usd=counter.remaining_usd,
        freshness=counter.freshness,
    )


async def _by_ledger(service: Service, wanted: Budget) -> SpendView:
    found = await service.ledger_spend.of(wanted)
    return SpendView(
        segment=wanted.segment,
        property=wanted.property,
        value=wanted.value,
        period=wanted.period,
        time_zone=wanted.time_zone,
        starts_at=found.starts_at,
        resets_at=found.resets_at,
        spent_usd=found.spent.usd,
        unpriced_requests=found.spent.unpriced_requests,
        budget="",
        limit_usd=None,
        remaining_usd=None,
        freshness=Freshness(source="ledger", rebuilt=True, ledger_until=found.ledger_until),
    )
