"""The operator's own prices over the shipped ones: which row prices a model at a timestamp.

A price has two times: from when it is valid, and for events recorded from when it is effective. An event is charged by
the prices that were known when it was recorded, so prices added later change it only by repricing.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final

import msgspec

from schemas.price import OperatorPrice, Price, PriceBook
from services.domain.providers.catalog import is_same_provider
from services.domain.usage.service_tier import SEARCH_DEPTH

SOURCE: Final = "operator"

_MAX_CACHED: Final = 10_000
_MAX_BOOKS: Final = 16


class PriceBookHistory:
    """PriceBooks: the shipped prices for everybody, and under an organization's own rows for each.

    Shipped prices do not state when they became known, so those of another release could charge an old event
    differently: a worker does not replace rows that another release may have charged. Price ids name the release.
    """

    def __init__(self, shipped: PriceBook, rows: Iterable[OperatorPrice] = ()) -> None:
        self._shipped = shipped
        by_organization = defaultdict(list)
        for row in rows:
            by_organization[row.organization_id].append(row)
        self._histories = {name: _History(shipped, its_rows) for name, its_rows in by_organization.items()}

    def prices_of(self, organization_id: str, recorded_at: datetime) -> PriceBook:
        history = self._histories.get(organization_id)
        return self._shipped if history is None else history.book_at(recorded_at)


class _History:
    """One organization's book between any two changes to its rows."""

    def __init__(self, shipped: PriceBook, rows: Sequence[OperatorPrice]) -> None:
        self._shipped = shipped
        self._rows = rows
        self._changes = sorted(
            [row.effective_for_events_since for row in rows]
            + [end.effective_for_events_since for row in rows for end in row.ends]
        )
        self._books: dict[int, LayeredPrices] = {}  # by the number of changes in them

    def book_at(self, timestamp: datetime) -> PriceBook:
        changes = bisect_right(self._changes, timestamp)
        book = self._books.get(changes)
        if book is None:
            if len(self._books) >= _MAX_BOOKS:
                self._books.clear()
            book = self._books[changes] = LayeredPrices(self._shipped, effective_at(self._rows, timestamp))
        return book


def effective_at(rows: Iterable[OperatorPrice], timestamp: datetime) -> Sequence[OperatorPrice]:
    """`rows` as they stood at `timestamp`: those that were known by then, with the ends that were."""
    return [
        msgspec.structs.replace(row, ends=tuple(end for end in row.ends if end.effective_for_events_since <= timestamp))
        for row in rows
        if row.effective_for_events_since <= timestamp
    ]


class LayeredPrices:
    """PriceBook: the most specific row of one organization that holds at a timestamp, else the shipped price.

    All of `rows` count, whenever they became known.
    """

    def __init__(self, shipped: PriceBook, rows: Iterable[OperatorPrice]) -> None:
        self._shipped = shipped
        ended = (msgspec.structs.replace(row, valid_until=row.holds_until) for row in rows)
        self._rows = sorted(ended, key=_precedence, reverse=True)
        self._matching: dict[tuple[str, str], Sequence[tuple[OperatorPrice, Price]]] = {}

    def price_at(self, provider: str, model: str, timestamp: datetime, tier: str = "") -> Price | None:
        """The price in force at `timestamp`; None when the model is unknown.

        If only rows of other tiers hold, it has no rates, as for any known model. Every request may have a search depth
        as its tier: a row of the standard tier holds for all depths without a row of their own.
        """
        matching = self._matching_rows(provider, model)
        for wanted in (tier, "") if tier.startswith(SEARCH_DEPTH) else (tier,):
            for row, price in matching:
                if row.tier == wanted and _holds(row, timestamp):
                    return price
        shipped = self._shipped.price_at(provider, model, timestamp, tier)
        if shipped is not None:
            return shipped
        known = next((price for row, price in matching if _holds(row, timestamp)), None)
        return None if known is None else _of_other_tier(known, tier)

    def _matching_rows(self, provider: str, model: str) -> Sequence[tuple[OperatorPrice, Price]]:
        key = (provider, model)
        try:
            return self._matching[key]
        except KeyError:
            found = tuple((row, price_of(row)) for row in self._rows if _matches(row, provider, model))
            if len(self._matching) >= _MAX_CACHED:  # clients may invent names without end
                self._matching.clear()
            self._matching[key] = found
            return found


class RecordingPriceBook:
    """PriceBook that records by id every price that it returns."""

    def __init__(self, book: PriceBook, recorded: dict[str, Price]) -> None:
        self._book = book
        self._recorded = recorded

    def price_at(self, provider: str, model: str, timestamp: datetime, tier: str = "") -> Price | None:
        """As the book has it."""
        price = self._book.price_at(provider, model, timestamp, tier)
        if price is not None:
            self._recorded[price.id] = price
        return price


def price_of(row: OperatorPrice) -> Price:
    """The price that `row` is. Its id names its content, since nothing in it can change but when it ends."""
    return Price(
        id=f"{SOURCE}/{row.id}",
        provider=row.provider,
        model=row.model,
        valid_from=row.valid_from,
        source=SOURCE,
        rates=row.rates,
        usd_per_request=row.usd_per_request,
        tier=row.tier,
    )


def model_matches(pattern: str, model: str) -> bool:
    """Whether `model` matches `pattern`, ignoring case; each * stands for any text, also for none."""
    head, *others = pattern.casefold().split("*")
    name = model.casefold()
    if not others:
        return name == head
    *middle, tail = others
    start, end = len(head), len(name) - len(tail)
    if start > end or not (name.startswith(head) and name.endswith(tail)):
        return False
    for part in middle:
        found = name.find(part, start, end)
        if found < 0:
            return False
        start = found + len(part)
    return True


def _matches(row: OperatorPrice, provider: str, model: str) -> bool:
    if not model or (row.provider and not is_same_provider(row.provider, provider)):
        return False
    return model_matches(row.model, model)


def _holds(row: OperatorPrice, timestamp: datetime) -> bool:
    return row.valid_from <= timestamp and (row.valid_until is None or timestamp < row.valid_until)


def _precedence(row: OperatorPrice) -> tuple[bool, int, bool, datetime, datetime, str]:
    """Names before patterns, longer patterns before shorter ones, one provider before any; then the latest."""
    stars = row.model.count("*")
    named = len(row.model) - stars
    return (not stars, named, bool(row.provider), row.valid_from, row.effective_for_events_since, row.id)


def _of_other_tier(price: Price, tier: str) -> Price:
    return msgspec.structs.replace(price, id=f"{price.id}+{tier}", rates={}, usd_per_request=Decimal(0), tier=tier)
