"""What an exchange has spent, at its end, for limits that count money or tokens.

The proxy's own reading, by the same rules and prices as the worker's, which decides what is charged. It is made for
those exchanges only that have such a limit, in a thread, beside the response.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from decimal import Decimal
from typing import Final

from schemas.errors import StoreUnavailable
from schemas.event import ExchangeEvent
from schemas.limit import Spent
from schemas.price import PriceBook
from schemas.usage import TOKEN_CLASSES, UsageSource
from services.domain.enrich import recorded_at_of, to_record
from services.ports.limits import CurrentPrices

_CLOSE_S: Final = 5.0

logger = logging.getLogger("farebox.proxy")

Settle = Callable[[Spent], Awaitable[None] | None]  # some say when it is counted


class SpendReader:
    """One for the process. Belongs to one event loop."""

    def __init__(self, prices: CurrentPrices) -> None:
        self._prices = prices
        self._tasks: set[asyncio.Task[None]] = set()

    def read(self, events: Sequence[ExchangeEvent], settle: Sequence[Settle]) -> None:
        """Calls each of `settle` soon, with what `events`, the attempts of one request, have spent together."""
        task = asyncio.get_running_loop().create_task(self._read(events, settle))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _read(self, events: Sequence[ExchangeEvent], settle: Sequence[Settle]) -> None:
        spent = _together([await self._spent(event) for event in events])
        for one in settle:
            one(spent)

    async def _spent(self, event: ExchangeEvent) -> Spent:
        try:
            books = await self._prices.books()
            book = books.prices_of(event.request.organization_id, recorded_at_of(event))
            return await asyncio.to_thread(_spent_by, event, book)
        except StoreUnavailable:
            return _unknown(event)
        except Exception as error:
            # Not the error's text: it may quote a body. The worker meets the same fault, and dead-letters the event.
            logger.warning("what an exchange spent could not be read", extra={"reason": type(error).__name__})
            return _unknown(event)

    async def close(self) -> None:
        if self._tasks:
            await asyncio.wait(list(self._tasks), timeout=_CLOSE_S)
        for task in list(self._tasks):
            task.cancel()


def _together(spent: Sequence[Spent]) -> Spent:
    """What is known of the sum, unknown where nothing is; and what was held for all that is unknown."""
    costs = [one.cost_usd for one in spent if one.cost_usd is not None]
    tokens = [one.tokens for one in spent if one.tokens is not None]
    return Spent(
        cost_usd=sum(costs, Decimal()) if costs else None,
        tokens=sum(tokens) if tokens else None,
        held_nano=sum(one.held_nano for one in spent),
    )


def _unknown(event: ExchangeEvent) -> Spent:
    return Spent(cost_usd=None, tokens=None, held_nano=event.request.reserved_nano)


def _spent_by(event: ExchangeEvent, book: PriceBook) -> Spent:
    record, _ = to_record(event, book)
    is_known = record.usage_source is not UsageSource.NONE or record.cost_usd == 0
    tokens = sum(getattr(record, name) for name in TOKEN_CLASSES) if is_known else None
    held_nano = event.request.reserved_nano if record.cost_usd is None else 0
    return Spent(cost_usd=record.cost_usd, tokens=tokens, held_nano=held_nano)
