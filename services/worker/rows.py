"""Deliveries -> rows and dead letters, as much at a time as memory should hold."""

import logging
import traceback
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

import msgspec

from schemas.amendment import StoredAmendment
from schemas.errors import PoisonMessage, UnreadableExchange
from schemas.event import DeadLetter, Delivery, ExchangeEvent
from schemas.log_entry import decode_entry
from schemas.price import Price, PriceBook, PriceBooks
from schemas.record import RequestBodies, RequestRecord
from services.domain.amendment import to_stored
from services.domain.enrich import recorded_at_of, to_record
from services.domain.pricing.price_book import RecordingPriceBook

# Bodies may be compressed a hundredfold: a batch that is small in the log may be large when it is read.
MAX_CHARACTERS: Final = 64 * 2**20
# Each may be the last of a hundred logs of its call: a row of some 70 KB with what it replaced.
MAX_LOGS: Final = 2_000

logger = logging.getLogger("farebox.worker")


class Row(msgspec.Struct, frozen=True):
    """What one delivery became."""

    delivery: Delivery
    record: RequestRecord
    bodies: RequestBodies | None
    method: str
    traceparent: str  # of the client


class Chunk(msgspec.Struct, frozen=True):
    """What the deliveries up to `end` became."""

    rows: list[Row]
    amendments: list[StoredAmendment]
    dead_letters: list[DeadLetter]
    prices: dict[str, Price]  # by id: every price that was looked up
    end: int


def rows_of(batch: Sequence[Delivery], start: int, books: PriceBooks, hash_key: bytes = b"") -> Chunk:
    """The deliveries from `start` on, until their bodies together are large, or many are logs.

    `hash_key` is that of `to_record`. Raises: MemoryError.
    """
    rows: list[Row] = []
    amendments: list[StoredAmendment] = []
    dead_letters: list[DeadLetter] = []
    used = _UsedPrices(books)
    characters = logs = 0
    end = start
    for delivery in batch[start:]:
        end += 1
        try:
            entry = decode_entry(delivery.payload)
            if not isinstance(entry, ExchangeEvent):
                amendments.append(to_stored(entry))
                continue
            record, bodies = _understood(entry, used, hash_key)
        except PoisonMessage as error:
            dead_letters.append(dead_letter(delivery, error))
            continue
        rows.append(Row(delivery, record, bodies, entry.request.method, entry.request.traceparent))
        if bodies is not None:
            characters += len(bodies.request_body) + len(bodies.response_body)
        logs += record.logged_us > 0
        if characters >= MAX_CHARACTERS or logs >= MAX_LOGS:
            break
    _warn_of_faults(dead_letters)
    return Chunk(rows, amendments, dead_letters, used.prices, end)


def _understood(
    event: ExchangeEvent, books: "_UsedPrices", hash_key: bytes
) -> tuple[RequestRecord, RequestBodies | None]:
    """Raises: UnreadableExchange on a fault of ours, since one event that meets it must not hold up all others.

    MemoryError is no fault of the event.
    """
    try:
        return to_record(event, books.prices_of(event.request.organization_id, recorded_at_of(event)), hash_key)
    except MemoryError:
        raise
    except Exception as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        # Not the error's text: it may hold content of a request.
        reason = f"{type(error).__name__} in {Path(place.filename).name}, line {place.lineno}"
        raise UnreadableExchange(reason) from error


def _warn_of_faults(dead_letters: Sequence[DeadLetter]) -> None:
    reasons = Counter(dead_letter.reason for dead_letter in dead_letters if dead_letter.code == UnreadableExchange.code)
    if reasons:
        logger.warning("events could not be understood: a bug of Farebox", extra={"reasons": dict(reasons)})


class _UsedPrices:
    """PriceBooks that record the prices they returned."""

    def __init__(self, books: PriceBooks) -> None:
        self._books = books
        self._noting: dict[PriceBook, RecordingPriceBook] = {}
        self.prices: dict[str, Price] = {}

    def prices_of(self, organization_id: str, recorded_at: datetime) -> PriceBook:
        book = self._books.prices_of(organization_id, recorded_at)
        noting = self._noting.get(book)
        if noting is None:
            noting = self._noting[book] = RecordingPriceBook(book, self.prices)
        return noting


def dead_letter(delivery: Delivery, error: PoisonMessage) -> DeadLetter:
    return DeadLetter(payload=delivery.payload, position=delivery.position, code=error.code, reason=str(error))
