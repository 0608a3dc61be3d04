"""Deliveries -> rows and dead letters, as much at a time as memory should hold."""

from collections.abc import Sequence
from typing import Final

import msgspec

from schemas.errors import PoisonMessage
from schemas.event import DeadLetter, Delivery, decode_event
from schemas.price import PriceBook
from schemas.record import RequestBodies, RequestRecord
from services.domain.enrich import to_record

# Bodies may be compressed a hundredfold: a batch that is small in the log may be large when it is read.
MOST_CHARACTERS: Final = 64 * 2**20


class Row(msgspec.Struct, frozen=True):
    """What one delivery became."""

    delivery: Delivery
    record: RequestRecord
    bodies: RequestBodies | None


class Piece(msgspec.Struct, frozen=True):
    """What the deliveries up to `end` became."""

    rows: list[Row]
    letters: list[DeadLetter]
    end: int


def rows_of(batch: Sequence[Delivery], start: int, prices: PriceBook) -> Piece:
    """The deliveries from `start` on, until their bodies together are large."""
    rows: list[Row] = []
    letters: list[DeadLetter] = []
    characters = 0
    end = start
    for delivery in batch[start:]:
        end += 1
        try:
            record, bodies = to_record(decode_event(delivery.payload), prices)
        except PoisonMessage as error:
            letters.append(dead_letter(delivery, error))
            continue
        rows.append(Row(delivery, record, bodies))
        if bodies is not None:
            characters += len(bodies.request_body) + len(bodies.response_body)
        if characters >= MOST_CHARACTERS:
            break
    return Piece(rows, letters, end)


def dead_letter(delivery: Delivery, error: PoisonMessage) -> DeadLetter:
    return DeadLetter(payload=delivery.payload, position=delivery.position, code=error.code, reason=str(error))
