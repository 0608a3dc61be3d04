"""A writer of the Kafka log announces what it holds, so that totals are not taken for complete without it."""

import asyncio
import logging
import uuid
from collections.abc import Collection
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Protocol

from schemas.errors import BrokerUnavailable, StoreUnavailable
from schemas.seal import Held, Member, MemberKind
from services.ports.log import ProgressStore
from services.retry import Backoff, RetryPolicy
from services.stores.private_files import make_private_folder

logger = logging.getLogger(__name__)

EVERY_S: Final = 2.0
FIRST_S: Final = 3.0  # for the first announcement, which a start waits for
LAST_S: Final = 5.0  # for the last one, which a stop waits for
TAKEN_OVER_AFTER_S: Final = 10.0  # another writer of the same place that was silent so long may have ended

_RETRY: Final = RetryPolicy(first_delay_s=EVERY_S, last_delay_s=EVERY_S)


class Writer(Protocol):
    """What is announced."""

    @property
    def held(self) -> Held:
        """Events that it was given and that are not known to be in the log."""
        ...

    @property
    def is_drained(self) -> bool:
        """Whether all that anybody left at the spill was sent when somebody last looked, a short time ago."""
        ...

    @property
    def intake_name(self) -> str:
        """Of its own file beside the spill; '' when it has none."""
        ...


class Announcer:
    """Announces one writer until it is closed. While `store` is unavailable it goes on trying."""

    def __init__(self, store: ProgressStore, spill: Path, writer: Writer) -> None:
        """`spill` is where `writer` leaves events. Raises: BrokerUnavailable when nothing can be kept there."""
        self._store = store
        self._spill = spill
        self._writer = writer
        self._place = _place_of(spill)
        self._id = str(uuid.uuid4())
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        with suppress(TimeoutError, StoreUnavailable):
            async with asyncio.timeout(FIRST_S):
                await self._announce()
        self._task = asyncio.create_task(self._announce_until_cancelled())

    async def close(self) -> None:
        """What is held now stays announced; who holds nothing is withdrawn."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait((self._task,))
        try:
            async with asyncio.timeout(LAST_S):
                await (self._announce() if self._writer.held.events else self._store.withdraw([self._id]))
        except (TimeoutError, StoreUnavailable) as error:
            logger.warning("the end of a writer could not be announced", extra={"reason": str(error)})
        await self._store.close()

    async def _announce_until_cancelled(self) -> None:
        backoff = Backoff(_RETRY, logger, "what waits to be sent cannot be announced: totals look older than they are")
        while True:
            await asyncio.sleep(EVERY_S)
            try:
                await self._announce()
                await self._withdraw_taken_over()
            except StoreUnavailable as error:
                backoff.failed(error)

    async def _announce(self) -> None:
        heard_at = datetime.now(UTC)  # before looking at what is held
        member = Member(
            id=self._id,
            kind=MemberKind.WRITER,
            place=f"{self._place}/{self._writer.intake_name}",
            heard_at=heard_at,
            held=self._writer.held,
        )
        await self._store.announce(member)

    async def _withdraw_taken_over(self) -> None:
        """Those who ended without a word, and whose events have been sent since."""
        if not self._writer.is_drained:
            return
        others = {file.name for file in self._spill.parent.glob(f"{self._spill.name}.intake-*")} - {
            self._writer.intake_name
        }
        progress = await self._store.read()
        now = datetime.now(UTC)
        ended = [one.id for one in progress.members if self._has_ended(one, others, now)]
        if ended and self._writer.is_drained:
            await self._store.withdraw(ended)

    def _has_ended(self, member: Member, others: Collection[str], now: datetime) -> bool:
        place, _, intake = member.place.partition("/")
        silent_s = (now - member.heard_at).total_seconds()
        is_elsewhere = member.id == self._id or place != self._place or intake in others
        return not is_elsewhere and silent_s > TAKEN_OVER_AFTER_S


def _place_of(spill: Path) -> str:
    """An id of the file `spill`, the same for all who have it. Raises: BrokerUnavailable."""
    file = spill.with_name(f"{spill.name}.place")
    whole = file.with_name(f"{file.name}.{uuid.uuid4()}")
    try:
        make_private_folder(spill.parent)
        if not file.exists():
            # In one step, so that nobody ever reads half of it; who comes second reads the first one's.
            whole.write_text(str(uuid.uuid4()), encoding="ascii")
            with suppress(FileExistsError):
                file.hardlink_to(whole)
            whole.unlink()
        return file.read_text(encoding="ascii")
    except OSError as error:
        raise BrokerUnavailable(f"{file}: {error}") from error
