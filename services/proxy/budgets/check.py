"""May a request pass, by which model, and with how much reserved? Budgets, prices and counters come together here."""

from collections.abc import Callable, Sequence

import msgspec
from msgspec.structs import replace

from schemas.budget import (
    BUDGET_PROPERTY,
    STATUS_PROPERTY,
    Budget,
    BudgetAction,
    BudgetMode,
    Claim,
    CounterState,
    Reservation,
    Reserved,
    UnknownCost,
)
from schemas.errors import Busy, FareboxError, Rejected, StoreUnavailable
from schemas.price import PriceBook
from services.domain.budgets.bound import Size, bound_nano
from services.domain.budgets.claims import claims_of, subject_of
from services.domain.budgets.refusal import (
    BLOCKED,
    FELL_BACK,
    WOULD_ACT,
    budget_headers,
    refusal_of,
)
from services.domain.exchange.capture import Capture
from services.ports.limits import CurrentPrices
from services.ports.upstream import Headers
from services.proxy.budgets.access import LEASE_S, BudgetAccess
from services.proxy.budgets.reading import BudgetReading, asks_for_status


class UnknownRequestCost(Rejected):
    code = "budget_unknown_cost"
    status = 429


class Passed(msgspec.Struct, frozen=True, kw_only=True):
    """The request may be sent: `content`, which names `model`, in the place of its body, where it is not None."""

    reservation: Reservation | None = None
    content: bytes | None = None
    model: str = ""
    headers: Headers = ()
    properties: dict[str, str] = {}


class Refused(msgspec.Struct, frozen=True, kw_only=True):
    error: FareboxError
    retry_after_s: int
    headers: Headers = ()
    details: dict[str, object] = {}  # for machines
    properties: dict[str, str] = {}


class BudgetCheck:
    """One for the process."""

    def __init__(self, access: BudgetAccess, prices: CurrentPrices, draw_id: Callable[[], str]) -> None:
        """`draw_id` makes an id that nothing else has."""
        self._access = access
        self._prices = prices
        self._draw_id = draw_id

    async def check(self, capture: Capture, budgets: Sequence[Budget], reading: BudgetReading) -> Passed | Refused:
        """For a request of `capture` to one of an organization with `budgets`. What passes is reserved."""
        tags = capture.tags
        subject = subject_of(capture.organization_id, capture.key_id, tags, reading.info.user)
        claims = claims_of(budgets, subject, capture.created_at)
        if not claims:
            return Passed()
        bound = await self._bound(capture, reading.size, reading.model, tags.model_override or reading.model)
        blocking = _blocks_unknown(claims)
        if blocking is not None and (bound is None or tags.model_override):
            return self._refused_as_unknown(blocking.budget)
        if tags.model_override and await self._prices_what_is_sent(capture, claims, reading):
            capture.set_model_override_aside()
        reservation, outcome = await self._reserve(claims, bound)
        if outcome is None:
            return self.without_counters()
        if outcome.granted:
            return self._passed(capture, claims, outcome, reservation)
        if tags.model_override:
            reading = replace(reading, content=b"")  # its client says by which model it is charged: it has no other
        return await self._fallback(capture, reading, claims, outcome, bound)

    def without_counters(self) -> Passed | Refused:
        """What becomes of a request whose budgets cannot be checked."""
        self._access.metrics.add("proxy_budget_skipped_total")
        if self._access.closed:
            return Refused(error=Busy("the budgets of this request could not be checked; try again"), retry_after_s=1)
        return Passed(headers=((b"Helicone-Budget-Skipped", b"unavailable"),))

    async def _bound(self, capture: Capture, size: Size | None, *models: str) -> int | None:
        """By the dearest of `models` that has a price: the client may choose any to be charged by."""
        if size is None:
            return None
        try:
            books = await self._prices.books()
        except StoreUnavailable:
            return None
        book: PriceBook = books.prices_of(capture.organization_id, capture.created_at)
        found = [
            bound_nano(size, book.price_at(capture.target.provider, model, capture.created_at, tier))
            for model in dict.fromkeys(models)
            for tier in dict.fromkeys(("", size.tier))
        ]
        known = [bound for bound in found if bound is not None]
        return max(known, default=None)

    async def _prices_what_is_sent(self, capture: Capture, claims: Sequence[Claim], reading: BudgetReading) -> bool:
        """Whether the request counts by the model that is sent, and not by the one that its client names: where a
        budget acts, unless a model without a price is sent."""
        if not any(claim.is_enforced for claim in claims):
            return False
        try:
            books = await self._prices.books()
        except StoreUnavailable:
            return True
        at, sent = capture.created_at, reading.model
        book = books.prices_of(capture.organization_id, at)
        return not sent or book.price_at(capture.target.provider, sent, at, "") is not None

    async def _reserve(self, claims: Sequence[Claim], bound_nano: int | None) -> tuple[Reservation, Reserved | None]:
        reservation = Reservation(
            id=self._draw_id(),
            counters=tuple(claim.counter for claim in claims),
            amount_nano=bound_nano or 0,
            lease_s=LEASE_S,
        )
        outcome = await self._access.reserve(reservation, claims)
        if outcome is not None and outcome.granted and self._access.closed and not _are_rebuilt(claims, outcome):
            self._access.release(reservation)
            outcome = None
        return reservation, outcome

    def _passed(self, capture: Capture, claims: Sequence[Claim], outcome: Reserved, reservation: Reservation) -> Passed:
        shadowed = [
            claim.budget.name
            for claim, fits in zip(claims, outcome.fits, strict=True)
            if not fits and claim.budget.mode is BudgetMode.SHADOW and claim.budget.action is not BudgetAction.NOTIFY
        ]
        if shadowed:
            self._access.metrics.add("proxy_budget_shadow_total")
        return Passed(
            reservation=reservation,
            headers=_status_headers(capture, claims, outcome.states),
            properties=_noted(shadowed[0], WOULD_ACT) if shadowed else {},
        )

    async def _fallback(
        self,
        capture: Capture,
        reading: BudgetReading,
        claims: Sequence[Claim],
        outcome: Reserved,
        bound: int | None,
    ) -> Passed | Refused:
        """By the cheaper model of the first budget without room, where all of those have one, and it helps."""
        full = _without_room(claims, outcome)
        budget = full[0][0].budget
        if any(claim.budget.action is not BudgetAction.FALLBACK for claim, _ in full):
            return await self._refused(capture, claims, outcome)
        content = reading.with_model(budget.fallback_model)
        cheaper = await self._bound(capture, reading.size, budget.fallback_model)
        if content is None or cheaper is None or (bound is not None and cheaper >= bound):
            return await self._refused(capture, claims, outcome)
        eased = [_eased(claim) for claim in claims]
        reservation, second = await self._reserve(eased, cheaper)
        if second is None:
            return self.without_counters()
        if not second.granted:
            return await self._refused(capture, eased, second)
        self._access.metrics.add("proxy_budget_fallback_total")
        passed = self._passed(capture, eased, second, reservation)
        headers = (*passed.headers, (b"Helicone-Budget-Fallback", budget.fallback_model.encode("ascii", "replace")))
        noted = _noted(budget.name, FELL_BACK)
        return replace(passed, content=content, model=budget.fallback_model, headers=headers, properties=noted)

    async def _refused(self, capture: Capture, claims: Sequence[Claim], outcome: Reserved) -> Refused:
        full = _without_room(claims, outcome)
        claim, state = next((one for one in full if one[0].budget.action is BudgetAction.BLOCK), full[0])
        if claim.resets_at is None:  # when a rolling window has room is in its slots
            read = await self._access.read([claim.counter])
            state = state if read is None else read[0]
        self._access.metrics.add("proxy_budget_refused_total")
        refusal = refusal_of(claim, state, capture.created_at)
        return Refused(
            error=refusal.error,
            retry_after_s=refusal.retry_after_s,
            headers=_status_headers(capture, claims, outcome.states),
            details={"budget": refusal.budget},
            properties=_noted(claim.budget.name, BLOCKED),
        )

    def _refused_as_unknown(self, budget: Budget) -> Refused:
        self._access.metrics.add("proxy_budget_refused_total")
        error = UnknownRequestCost(
            f"the budget {budget.name!r} is for requests whose cost is known: this one's model has no price, its body "
            "cannot be read, or Helicone-Model-Override says which model it is charged by"
        )
        return Refused(error=error, retry_after_s=60, properties=_noted(budget.name, BLOCKED))


def _blocks_unknown(claims: Sequence[Claim]) -> Claim | None:
    found = (claim for claim in claims if claim.is_enforced and claim.budget.unknown_cost is UnknownCost.BLOCK)
    return next(found, None)


def _are_rebuilt(claims: Sequence[Claim], outcome: Reserved) -> bool:
    return all(state.is_rebuilt for claim, state in zip(claims, outcome.states, strict=True) if claim.is_enforced)


def _without_room(claims: Sequence[Claim], outcome: Reserved) -> Sequence[tuple[Claim, CounterState]]:
    together = zip(claims, outcome.states, outcome.fits, strict=True)
    return [(claim, state) for claim, state, fits in together if claim.is_enforced and not fits]


def _eased(claim: Claim) -> Claim:
    """Its budget is content with a cheaper model."""
    if claim.budget.action is not BudgetAction.FALLBACK:
        return claim
    return replace(claim, budget=replace(claim.budget, action=BudgetAction.NOTIFY))


def _noted(name: str, status: str) -> dict[str, str]:
    return {BUDGET_PROPERTY: name, STATUS_PROPERTY: status}


def _status_headers(capture: Capture, claims: Sequence[Claim], states: Sequence[CounterState]) -> Headers:
    if not asks_for_status(capture.head):
        return ()
    return budget_headers(claims, states, capture.created_at)
