"""The Reprices port on the state database: what was charged again, when, and whose turn it is."""

import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec
from sqlalchemy import Boolean, Column, Connection, Integer, MetaData, RowMapping, Select, String, Table, Text, select
from sqlalchemy.exc import IntegrityError

from schemas.errors import Conflict
from schemas.reprice import Criteria, Reprice, RepriceResult, RepriceState
from services.stores.state.database import Database, UtcMoment

TURN: Final = timedelta(minutes=1)  # how long a turn lasts that nobody keeps: so long a crash holds up the next run

_REPRICES = Table(
    "reprice",
    MetaData(),
    Column("id", String(36), primary_key=True),
    Column("organization_id", String, nullable=False),
    Column("model", String, nullable=False),
    Column("provider", String, nullable=False),
    Column("since", UtcMoment, nullable=False),
    Column("until", UtcMoment, nullable=False),
    Column("dry_run", Boolean, nullable=False),
    Column("state", String, nullable=False),
    Column("started_at", UtcMoment, nullable=False),
    Column("rows_total", Integer, nullable=False),
    Column("rows_done", Integer, nullable=False),
    Column("result", Text),  # JSON, with amounts as text: digit for digit
    Column("error", Text, nullable=False),
    Column("ended_at", UtcMoment),
    Column("undone_at", UtcMoment),
    # The organization while this run has its turn: being unique, it lets one in, whoever comes at the same time.
    Column("turn_of", String, unique=True),
    Column("turn_until", UtcMoment),
)
_NO_TURN: Final = {"turn_of": None, "turn_until": None}

_outcome = msgspec.json.Decoder(RepriceResult)


class SqlReprices:
    """Runs in a table."""

    def __init__(self, url: str) -> None:
        """Connects when first asked. Raises: InvalidSetting when `url` names no database that is known."""
        self._database = Database(url, what="reprices")

    async def migrate(self) -> None:
        """Makes the table where it is missing; safe to run twice and at once. Raises: StoreUnavailable."""
        await self._database.create(_REPRICES)

    async def begin(self, organization_id: str, criteria: Criteria, *, dry_run: bool, at: datetime) -> Reprice:
        """The new run, which has the turn. Raises: Conflict when another one has, StoreUnavailable."""
        run = Reprice(
            id=str(uuid.uuid4()),
            organization_id=organization_id,
            criteria=criteria,
            dry_run=dry_run,
            state=RepriceState.RUNNING,
            started_at=at,
        )

        def insert(connection: Connection) -> None:
            connection.execute(_REPRICES.insert().values(_values(run) | _turn(run, at)))

        await self._take_turn(organization_id, insert, at)
        return run

    async def begin_undo(self, reprice: Reprice, *, at: datetime) -> Reprice:
        """The run, whose undoing has the turn now. Raises: Conflict when another one has, StoreUnavailable."""
        run = msgspec.structs.replace(reprice, state=RepriceState.UNDOING, rows_done=0)
        undoable = (_REPRICES.c.id == run.id) & _REPRICES.c.state.in_((RepriceState.DONE, RepriceState.FAILED))

        def update(connection: Connection) -> None:
            if not connection.execute(
                _REPRICES.update().where(undoable).values(_progress(run) | _turn(run, at))
            ).rowcount:
                raise Conflict(f"re-pricing {run.id} is under way or has been undone")

        await self._take_turn(run.organization_id, update, at)
        return run

    async def _take_turn(self, organization_id: str, take: Callable[[Connection], None], at: datetime) -> None:
        its_turn = _REPRICES.c.turn_of == organization_id
        broken_off = {"state": RepriceState.FAILED, "error": "its process died", "ended_at": at, **_NO_TURN}
        lost = _REPRICES.update().where(its_turn & (_REPRICES.c.turn_until < at)).values(broken_off)

        def work(connection: Connection) -> None:
            connection.execute(lost)
            take(connection)

        try:
            await self._database.write(work)
        except IntegrityError as error:
            holder = await self._database.read(
                lambda connection: connection.scalar(select(_REPRICES.c.id).where(its_turn))
            )
            raise Conflict(
                f"re-pricing {holder} is under way: one at a time; should its process have died,"
                f" another may begin {TURN.seconds} seconds after that"
            ) from error

    async def advance(self, reprice: Reprice, *, at: datetime) -> bool:
        """Keeps how far it is, and the turn. False when the turn was lost. Raises: StoreUnavailable."""
        return await self._update(reprice, _progress(reprice) | _turn(reprice, at))

    async def end(self, reprice: Reprice) -> None:
        """Keeps how it ended, unless the turn was lost, and gives the turn back. Raises: StoreUnavailable."""
        await self._update(reprice, _values(reprice) | _NO_TURN)

    async def _update(self, reprice: Reprice, values: Mapping[str, object]) -> bool:
        with_turn = (_REPRICES.c.id == reprice.id) & (_REPRICES.c.turn_of == reprice.organization_id)
        update = _REPRICES.update().where(with_turn).values(values)
        return await self._database.write(lambda connection: connection.execute(update).rowcount > 0)

    async def get_reprice(self, organization_id: str, reprice_id: str) -> Reprice | None:
        """Raises: StoreUnavailable."""
        found = await self._read(organization_id, select(_REPRICES).where(_REPRICES.c.id == reprice_id))
        return found[0] if found else None

    async def list_reprices(self, organization_id: str, *, limit: int) -> Sequence[Reprice]:
        """The latest first. Raises: StoreUnavailable."""
        latest = select(_REPRICES).order_by(_REPRICES.c.started_at.desc(), _REPRICES.c.id).limit(limit)
        return await self._read(organization_id, latest)

    async def _read(self, organization_id: str, which: Select[*tuple[object, ...]]) -> list[Reprice]:
        its_own = which.where(_REPRICES.c.organization_id == organization_id)

        def read(connection: Connection) -> list[Reprice]:
            return [_reprice(row) for row in connection.execute(its_own).mappings()]

        return await self._database.read(read)

    async def close(self) -> None:
        await self._database.close()


def _turn(run: Reprice, at: datetime) -> dict[str, object]:
    return {"turn_of": run.organization_id, "turn_until": at + TURN}


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
            "result": row["result"] and _outcome.decode(row["result"]),
        }
    )
