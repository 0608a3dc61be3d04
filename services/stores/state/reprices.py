"""The Reprices port on the state database: what was re-priced, when, and by which run; one runs at a time."""

import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec
from sqlalchemy import Connection, RowMapping, Select, select

from schemas.errors import Conflict
from schemas.reprice import Criteria, Reprice, RepriceResult, RepriceState
from services.stores.state.database import Database
from services.stores.state.leases import Lease, holder_of
from services.stores.state.tables import REPRICE

LEASE_FOR: Final = timedelta(minutes=1)  # without renewal: so long a crash delays the next run
_ACTIVE: Final = (RepriceState.RUNNING, RepriceState.UNDOING)

_result_decoder = msgspec.json.Decoder(RepriceResult)


class SqlReprices:
    """Runs in a table."""

    def __init__(self, url: str) -> None:
        """Connects when first used. Raises: InvalidSetting when `url` names no database that is known."""
        self._database = Database(url, what="reprices")

    async def begin(self, organization_id: str, criteria: Criteria, *, dry_run: bool, at: datetime) -> Reprice:
        """The new run, which holds the lease. Raises: Conflict when another one does, StoreUnavailable."""
        run = Reprice(
            id=str(uuid.uuid4()),
            organization_id=organization_id,
            criteria=criteria,
            dry_run=dry_run,
            state=RepriceState.RUNNING,
            started_at=at,
        )
        await self._start(run, lambda connection: connection.execute(REPRICE.insert().values(_values(run))), at)
        return run

    async def begin_undo(self, reprice: Reprice, *, at: datetime) -> Reprice:
        """The run, whose undoing holds the lease now. Raises: Conflict when another one does, StoreUnavailable."""
        run = msgspec.structs.replace(reprice, state=RepriceState.UNDOING, rows_done=0)
        undoable = (REPRICE.c.id == run.id) & REPRICE.c.state.in_((RepriceState.DONE, RepriceState.FAILED))
        update = REPRICE.update().where(undoable).values(_progress(run))

        def start(connection: Connection) -> None:
            if not connection.execute(update).rowcount:
                raise Conflict(f"re-pricing {run.id} is under way or has been undone")

        await self._start(run, start, at)
        return run

    async def _start(self, run: Reprice, start: Callable[[Connection], object], at: datetime) -> None:
        died = {"state": RepriceState.FAILED, "error": "its process died", "ended_at": at}
        active = (REPRICE.c.organization_id == run.organization_id) & REPRICE.c.state.in_(_ACTIVE)

        def work(connection: Connection) -> None:
            lease = _lease(run)
            if not lease.acquire(connection, at=at, until=at + LEASE_FOR):
                raise Conflict(
                    f"re-pricing {holder_of(connection, lease.name)} is under way: one at a time; should its process"
                    f" have died, another may begin {LEASE_FOR.seconds} seconds after that"
                )
            connection.execute(REPRICE.update().where(active).values(died))  # their leases have expired
            start(connection)

        await self._database.write(work)

    async def advance(self, reprice: Reprice, *, at: datetime) -> bool:
        """Records its progress and renews the lease. False when the lease was lost. Raises: StoreUnavailable."""
        lease = _lease(reprice)
        return await self._update(
            reprice, _progress(reprice), lambda connection: lease.renew(connection, until=at + LEASE_FOR)
        )

    async def end(self, reprice: Reprice) -> None:
        """Records how it ended, unless the lease was lost, and releases the lease. Raises: StoreUnavailable."""
        await self._update(reprice, _values(reprice), _lease(reprice).release)

    async def _update(
        self, reprice: Reprice, values: Mapping[str, object], is_held: Callable[[Connection], bool]
    ) -> bool:
        update = REPRICE.update().where(REPRICE.c.id == reprice.id).values(values)
        return await self._database.write(
            lambda connection: is_held(connection) and connection.execute(update).rowcount > 0
        )

    async def get_reprice(self, organization_id: str, reprice_id: str) -> Reprice | None:
        """Raises: StoreUnavailable."""
        found = await self._read(organization_id, select(REPRICE).where(REPRICE.c.id == reprice_id))
        return found[0] if found else None

    async def list_reprices(self, organization_id: str, *, limit: int) -> Sequence[Reprice]:
        """The latest first. Raises: StoreUnavailable."""
        latest = select(REPRICE).order_by(REPRICE.c.started_at.desc(), REPRICE.c.id).limit(limit)
        return await self._read(organization_id, latest)

    async def _read(self, organization_id: str, which: Select[*tuple[object, ...]]) -> list[Reprice]:
        its_own = which.where(REPRICE.c.organization_id == organization_id)

        def read(connection: Connection) -> list[Reprice]:
            return [_reprice(row) for row in connection.execute(its_own).mappings()]

        return await self._database.read(read)

    async def close(self) -> None:
        await self._database.close()


def _lease(run: Reprice) -> Lease:
    return Lease(name=f"reprice {run.organization_id}", holder=run.id)


def _progress(run: Reprice) -> dict[str, object]:
    return {"state": run.state, "rows_total": run.rows_total, "rows_done": run.rows_done}


def _values(run: Reprice) -> dict[str, object]:
    values = msgspec.structs.asdict(run) | msgspec.structs.asdict(run.criteria)
    del values["criteria"]
    return values | {"result": run.result and msgspec.json.encode(run.result).decode()}


def _reprice(row: RowMapping) -> Reprice:
    values = {name: row[name] for name in Reprice.__struct_fields__ if name != "criteria"}
    return Reprice(
        **values
        | {
            "criteria": Criteria(**{name: row[name] for name in Criteria.__struct_fields__}),
            "state": RepriceState(row["state"]),
            "result": row["result"] and _result_decoder.decode(row["result"]),
        }
    )
