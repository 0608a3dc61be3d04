"""The PricingReleaseRegistry port on the state database: which releases charge events here, and until when."""

from datetime import UTC, datetime, timedelta
from typing import Final

import genai_prices
from sqlalchemy import Connection, case, func, literal, select
from sqlalchemy.exc import IntegrityError

from schemas.price import PRICING_VERSION
from services.stores.state.database import Database
from services.stores.state.prices import LEAD
from services.stores.state.tables import PRICING_RELEASE
from services.stores.state.utc_datetime import UtcDateTime

LEASE: Final = timedelta(minutes=1)  # how far ahead a release registers that it charges, so that few batches have to


def current_pricing_release() -> str:
    """What this installation charges by: the same in every process that charges in the same way."""
    return f"pricing {PRICING_VERSION}, genai-prices {genai_prices.__version__}"


class SqlPricingReleases:
    """The releases in a table, each with the timestamp until which its workers may charge what is recorded."""

    def __init__(self, url: str, *, release: str = "") -> None:
        """`release` is the one that charges, by default the one that is installed. Connects when first used.

        Raises: InvalidSetting when `url` names no database that is known.
        """
        self._database = Database(url, what="releases")
        self._release = release or current_pricing_release()
        self._active_until = datetime.min.replace(tzinfo=UTC)

    async def other_release_active_until(self) -> datetime | None:
        """Raises: StoreUnavailable."""
        now = datetime.now(UTC)
        if self._active_until < now + LEASE / 2:
            await self._prolong(now + LEASE)
            self._active_until = now + LEASE
        others = select(func.max(PRICING_RELEASE.c.active_until)).where(PRICING_RELEASE.c.release != self._release)
        until = await self._database.read(lambda connection: connection.scalar(others))
        # Later by as much as the clock of a proxy, from which an event has its timestamp, may be ahead of a worker's.
        return None if until is None else until + LEAD

    async def _prolong(self, until: datetime) -> None:
        stored = PRICING_RELEASE.c.active_until
        later = case((stored > until, stored), else_=literal(until, UtcDateTime))
        own = PRICING_RELEASE.update().where(PRICING_RELEASE.c.release == self._release).values(active_until=later)

        def keep(connection: Connection) -> None:
            if not connection.execute(own).rowcount:
                connection.execute(PRICING_RELEASE.insert().values(release=self._release, active_until=until))

        try:
            await self._database.write(keep)
        except IntegrityError:  # another worker of this release came first, so now there is a row
            await self._database.write(keep)

    async def close(self) -> None:
        await self._database.close()
