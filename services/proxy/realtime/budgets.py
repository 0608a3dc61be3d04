"""Limits of a realtime session: whether it may begin, and, after each of its responses, whether it may go on."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from functools import partial
from time import monotonic

from schemas.budget import Claim, Reservation
from schemas.errors import FareboxError, StoreUnavailable
from schemas.limit import LimitUnit, Spent
from services.domain.budgets.claims import claims_of, subject_of
from services.domain.budgets.refusal import refusal_of
from services.domain.exchange.capture import Capture
from services.domain.limits.policy import policy_text
from services.proxy.budgets.access import LEASE_S
from services.proxy.budgets.budgeted_call import BudgetUse
from services.proxy.budgets.check import Refused
from services.proxy.errors import status_of
from services.proxy.exchange.context import ProxyContext
from services.proxy.exchange.spend import Settle
from services.proxy.realtime.ledger import Ledger
from services.proxy.upstream.limit_access import LimitAccess


async def budget_refusal(budgets: BudgetUse, capture: Capture, model: str) -> FareboxError | None:
    """Why the session that `capture` opens may not begin; None where there is room now.

    Nothing is reserved for it, as nobody knows how long it will go on: what it spends is counted response by response.
    """
    decision = await budgets.admit(capture, model)
    capture.note(decision.properties)
    if isinstance(decision, Refused):
        capture.response_head(status_of(decision.error), {})
        return decision.error
    capture.added_headers = (*capture.added_headers, *decision.headers)
    if decision.reservation is not None:
        budgets.access.release(decision.reservation)
    return None


def watch_limits(
    capture: Capture | None, ledger: Ledger | None, context: ProxyContext, end: Callable[[str], None]
) -> None:
    """From now on `end` is called, with the reason, once nothing is left of a limit of the session that `capture`
    opened, when one of the responses in its `ledger` is done. What is unavailable ends none.
    """
    if capture is not None and ledger is not None:
        limits = SessionLimits(capture, end, budgets=context.budgets, rate_limits=context.rate_limits)
        ledger.settle_of = limits.settle_of


class SessionLimits:
    """The budgets, and the rate limit by cents or tokens, of a session that has begun."""

    def __init__(
        self,
        capture: Capture,
        end: Callable[[str], None],
        *,
        budgets: BudgetUse | None,
        rate_limits: LimitAccess | None,
    ) -> None:
        self._capture = capture
        self._end = end
        self._budgets = budgets
        self._rate_limits = rate_limits

    def settle_of(self, part: Capture) -> Sequence[Settle]:
        """Who is told what `part`, a response, has spent: nobody where it has no limit, as that is read only then."""
        if self._capture.settle or self._may_have_budgets():
            return (partial(self._settle, part.request_id, part.created_at),)
        return ()

    def _may_have_budgets(self) -> bool:
        """Also such as were made since the session began."""
        return self._budgets is not None and self._budgets.definitions.concern(self._capture.organization_id)

    def _settle(self, part_id: str, at: datetime, spent: Spent) -> None:
        """Counts what the response of this id, which began `at`, has spent, and ends the session where nothing is left
        then."""
        counted = [one(spent) for one in self._capture.settle]
        access = self._rate_limits if self._budgets is None else self._budgets.access
        if access is not None:
            access.start(self._check([one for one in counted if one is not None], part_id, at, spent))

    async def _check(self, counted: Sequence[Awaitable[None]], part_id: str, at: datetime, spent: Spent) -> None:
        await self._count_in_budgets(part_id, at, spent)
        await asyncio.gather(*counted)
        reason = await self._used_up_limit() or await self._used_up_budget()
        if reason:
            self._end(reason)

    async def _count_in_budgets(self, part_id: str, at: datetime, spent: Spent) -> None:
        """In those periods that its row is in, whenever the session began."""
        counters = tuple(claim.counter for claim in await self._claims(at))
        if self._budgets is not None and counters:
            nothing = Reservation(id=part_id, counters=counters, amount_nano=0, lease_s=LEASE_S)
            await self._budgets.access.settle([nothing], spent)

    async def _used_up_limit(self) -> str:
        """'' while something is in the bucket."""
        limit = self._capture.limit
        if limit is None or self._rate_limits is None or limit.policy.unit is LimitUnit.REQUEST:
            return ""
        taken = await self._rate_limits.take(limit)
        if taken is None or taken.allowed:
            return ""
        self._rate_limits.metrics.add("proxy_limit_refused_total")
        return f"the rate limit {policy_text(limit.policy)} is used up"

    async def _used_up_budget(self) -> str:
        """'' while there is anything that was not spent: what others have reserved may be given back."""
        now = self._capture.timestamp_at(monotonic())
        claims = [claim for claim in await self._claims(now) if claim.is_enforced]
        if self._budgets is None or not claims:
            return ""
        access = self._budgets.access
        states = await access.read([claim.counter for claim in claims]) or ()  # while they are unavailable
        for claim, state in zip(claims, states, strict=False):
            if state.spent_nano >= claim.limit_nano:
                access.metrics.add("proxy_budget_refused_total")
                return str(refusal_of(claim, state, now).error)
        return ""

    async def _claims(self, at: datetime) -> Sequence[Claim]:
        """What a response at that time counts in; nothing while nobody knows which budgets there are."""
        if self._budgets is None:
            return ()
        capture = self._capture
        try:
            budgets = await self._budgets.definitions.budgets_of(capture.organization_id)
        except StoreUnavailable:
            return ()
        return claims_of(budgets, subject_of(capture.organization_id, capture.key_id, capture.tags, ""), at)
