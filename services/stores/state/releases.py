"""The PricingReleaseRegistry port on the state database: who charges events here, and until when."""

from datetime import UTC, datetime, timedelta
from typing import Final

import genai_prices
from sqlalchemy import Column, Connection, MetaData, String, Table, case, func, literal, select
from sqlalchemy.exc import IntegrityError

from schemas.price import PRICING_VERSION
from services.stores.state.database import Database, UtcMoment
from services.stores.state.prices import LEAD

LEASE: Final = timedelta(minutes=1)  # how far ahead a release says that it charges, so that few batches have to

_RELEASES: Final = Table(
    "charging_release",
    MetaData(),
    Column("release", String, primary_key=True),
    Column("charges_until", UtcMoment, nullable=False),
)


def current_pricing_release() -> str:
    """What this installation charges by: the same in every process that charges in the same way."""
    return f"pricing {PRICING_VERSION}, genai-prices {genai_prices.__version__}"


class SqlPricingReleases:
    """The releases in a table, each with the timestamp until which its workers may charge what is recorded."""

    def __init__(self, url: str, *, release: str = "") -> None:
        """`release` is the one that charges, by default the one that is installed. Connects when first asked.

        Raises: InvalidSetting when `url` names no database that is known.
        """
        self._database = Database(url, what="releases")
        self._release = release or current_pricing_release()
        self._charges_until = datetime.min.replace(tzinfo=UTC)

    async def migrate(self) -> None:
        """Makes the table where it is missing; safe to run twice and at once. Raises: StoreUnavailable."""
        await self._database.create(_RELEASES)

    async def other_release_active_until(self) -> datetime | None:
        """Raises: StoreUnavailable."""
        now = datetime.now(UTC)
        if self._charges_until < now + LEASE / 2:
            await self._prolong(now + LEASE)
            self._charges_until = now + LEASE
        others = select(func.max(_RELEASES.c.charges_until)).where(_RELEASES.c.release != self._release)
        until = await self._database.read(lambda connection: connection.scalar(others))
        # As much later as the clock of a proxy, which says when an event was recorded, may be ahead of a worker's.
        return None if until is None else until + LEAD

    async def _prolong(self, until: datetime) -> None:
        told = _RELEASES.c.charges_until
        later = case((told > until, told), else_=literal(until, UtcMoment))
        own = _RELEASES.update().where(_RELEASES.c.release == self._release).values(charges_until=later)

        def keep(connection: Connection) -> None:
            if not connection.execute(own).rowcount:
                connection.execute(_RELEASES.insert().values(release=self._release, charges_until=until))

        try:
            await self._database.write(keep)
        except IntegrityError:  # another worker of this release came first, so now there is a row
            await self._database.write(keep)

    async def close(self) -> None:
        await self._database.close()
