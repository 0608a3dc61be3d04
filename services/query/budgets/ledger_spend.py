"""What the ledger says was spent, for applications that ask about one after the other of their users.

One query finds what all of them spent, and is made again in the background for as long as somebody asks. It says until
when the ledger is in it, as does what is read for one alone.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from decimal import Decimal
from time import monotonic
from typing import Final, NamedTuple, TypeAlias

import msgspec

from schemas.budget import Budget, Period
from schemas.errors import Rejected, Unavailable
from schemas.seal import Seal
from services.domain.budgets.slots import ledger_span_of, place_of
from services.ports.clock import Clock
from services.ports.warehouse import QueryableWarehouse
from services.sql.budgets import compile_highest, compile_spent

EVERY_S: Final = 2.0
IDLE_S: Final = 60.0  # without a question, after which nothing is read any more
_TIMES: Final = 10  # it takes a tenth of the time at most
_MAX_AGE_S: Final = 60.0
_LONGEST_S: Final = _MAX_AGE_S / (_TIMES + 2)  # of one reading; after a longer one each question is a query
_RETRY_S: Final = 300.0  # for so long
_FIRST_WAIT_S: Final = 0.5  # for the first reading, before whoever asks has a query of their own
_MAX_VALUES: Final = 10_000  # of one question, those that spent most
_MAX_QUESTIONS: Final = 16  # of all organizations; what is beyond is read for each by itself
_OF_ONE: Final = 4

logger = logging.getLogger("farebox.query")

_Question: TypeAlias = tuple[str, str, str, str, int, str]


class Spent(NamedTuple):
    usd: Decimal
    unpriced_requests: int


class LedgerSpent(msgspec.Struct, frozen=True, kw_only=True):
    """What one value spent from `starts_at` on, as far as the ledger was complete."""

    spent: Spent
    starts_at: datetime
    resets_at: datetime | None
    ledger_until: datetime | None


class _Sums(msgspec.Struct, frozen=True, kw_only=True):
    """Of all values, or of those that spent most."""

    by_value: Mapping[str, Spent]
    is_whole: bool
    starts_at: datetime
    resets_at: datetime | None
    ledger_until: datetime | None
    read_s: float  # monotonic, before it was read

    def of(self, value: str, now: datetime) -> LedgerSpent | None:
        """None where this is not known, as its period is over or it may be one of those left out."""
        spent = self.by_value.get(value, Spent(Decimal(0), 0) if self.is_whole else None)
        is_over = self.resets_at is not None and now >= self.resets_at
        if spent is None or is_over or monotonic() - self.read_s > _MAX_AGE_S:
            return None
        return LedgerSpent(
            spent=spent, starts_at=self.starts_at, resets_at=self.resets_at, ledger_until=self.ledger_until
        )


class _Asked:
    """One question, for as long as it is asked."""

    def __init__(self) -> None:
        self.asked_s = monotonic()
        self.sums: _Sums | None = None
        self.is_read = asyncio.Event()  # or cannot be
        self.reading: asyncio.Task[None]

    async def first_reading(self) -> None:
        """Returns when it is over, or takes too long to be waited for."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_FIRST_WAIT_S):
                await self.is_read.wait()


class LedgerSpend:
    """Belongs to one event loop."""

    def __init__(self, warehouse: QueryableWarehouse, seal: Callable[[], Awaitable[Seal]], clock: Clock) -> None:
        self._warehouse = warehouse
        self._seal = seal
        self._clock = clock
        self._asked: dict[_Question, _Asked] = {}

    async def of(self, wanted: Budget) -> LedgerSpent:
        """Of the value that `wanted` names. Raises: Busy, QueryLimitExceeded, StoreUnavailable."""
        asked = self._question(wanted)
        if asked is not None:
            asked.asked_s = monotonic()
            await asked.first_reading()
        now = self._clock.now()
        known = None if asked is None or asked.sums is None else asked.sums.of(wanted.value, now)
        return known or await self._alone(wanted, now)

    async def close(self) -> None:
        for asked in list(self._asked.values()):
            asked.reading.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await asked.reading

    def _question(self, wanted: Budget) -> _Asked | None:
        """None where too many are being read already."""
        key = (
            *(wanted.organization_id, wanted.segment.value, wanted.property),
            *(wanted.period.value, wanted.window_s, "" if wanted.period is Period.ROLLING else wanted.time_zone),
        )
        asked = self._asked.get(key)
        if asked is None and self._has_room(wanted.organization_id):
            asked = self._asked[key] = _Asked()
            of_all = msgspec.structs.replace(wanted, value="")
            asked.reading = asyncio.create_task(self._read_again(asked, of_all))
            asked.reading.add_done_callback(lambda _: self._forget(key))
        return asked

    def _has_room(self, organization_id: str) -> bool:
        of_one = sum(organization == organization_id for organization, *_ in self._asked)
        return len(self._asked) < _MAX_QUESTIONS and of_one < _OF_ONE

    def _forget(self, key: _Question) -> None:
        self._asked.pop(key).is_read.set()

    async def _read_again(self, asked: _Asked, of_all: Budget) -> None:
        while monotonic() - asked.asked_s < IDLE_S:
            began_s = monotonic()
            is_refused = await self._read(asked, of_all)
            asked.is_read.set()
            took_s = monotonic() - began_s
            is_too_much = is_refused or took_s > _LONGEST_S
            await asyncio.sleep(_RETRY_S if is_too_much else max(EVERY_S, _TIMES * took_s))

    async def _read(self, asked: _Asked, of_all: Budget) -> bool:
        """Whether the query is refused. What was read before stays for as long as it is young enough."""
        try:
            asked.sums = await self._sums(of_all)
        except (Rejected, Unavailable) as error:
            logger.warning("what was spent cannot be read ahead", extra={"reason": str(error)})
            return isinstance(error, Rejected)
        except Exception:  # a bug of ours, which must not keep anybody waiting
            logger.exception("what was spent cannot be read ahead")
            return True
        return False

    async def _sums(self, of_all: Budget) -> _Sums:
        read_s, seal, now = monotonic(), *await self._before_rows()
        span = ledger_span_of(of_all, now)
        rows = await self._warehouse.query(compile_highest(of_all, span.start, span.end, _MAX_VALUES))
        return _Sums(
            by_value={row["value"]: Spent(row["usd"] or Decimal(0), row["unpriced"]) for row in rows},
            is_whole=not rows or rows[0]["counters"] <= len(rows),
            starts_at=span.start,
            resets_at=place_of(of_all, now).resets_at,
            ledger_until=seal.complete_until,
            read_s=read_s,
        )

    async def _alone(self, wanted: Budget, now: datetime) -> LedgerSpent:
        seal, _ = await self._before_rows()
        span = ledger_span_of(wanted, now)
        rows = await self._warehouse.query(compile_spent(wanted, span.start, span.end, span.slot_s))
        return LedgerSpent(
            spent=Spent(
                sum((row["usd"] for row in rows if row["usd"]), Decimal(0)), sum(row["unpriced"] for row in rows)
            ),
            starts_at=span.start,
            resets_at=place_of(wanted, now).resets_at,
            ledger_until=seal.complete_until,
        )

    async def _before_rows(self) -> tuple[Seal, datetime]:
        """The seal, than which the rows that are read next may be newer, and the time."""
        return await self._seal(), self._clock.now()
