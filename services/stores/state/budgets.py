"""The BudgetRows port on the state database."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, Select, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError

from schemas.budget import Budget
from schemas.errors import Conflict
from schemas.notice import Notice
from services.stores.state.database import Database
from services.stores.state.outbox import add_notices
from services.stores.state.tables import BUDGET, BUDGET_NOTICE

MAX_BUDGETS: Final = 1_000  # of an organization: proxies look through them for each of its requests

_INSERTS: Final[Mapping[str, Any]] = {"postgresql": postgresql.insert, "sqlite": sqlite.insert}

_budgets = msgspec.json.Decoder(Budget)


class SqlBudgets:
    """Budgets in a table, each as one JSON text."""

    def __init__(self, url: str) -> None:
        """Connects when first used. Raises: InvalidSetting when `url` names no database that is known."""
        self._database = Database(url, what="budgets")

    async def revision(self) -> str:
        """Raises: StoreUnavailable."""
        newest = select(func.count(), func.max(BUDGET.c.changed_at))

        def read(connection: Connection) -> str:
            count, changed_at = connection.execute(newest).one()
            return f"{count} {changed_at}"

        return await self._database.read(read)

    async def all_budgets(self) -> Sequence[Budget]:
        """Raises: StoreUnavailable."""
        return await self._read(select(BUDGET.c.definition))

    async def budgets_of(self, organization_id: str) -> Sequence[Budget]:
        """Raises: StoreUnavailable."""
        its_rows = select(BUDGET.c.definition).where(BUDGET.c.organization_id == organization_id)
        return await self._read(its_rows.order_by(BUDGET.c.name))

    async def add_budget(self, budget: Budget) -> None:
        """Raises: Conflict, StoreUnavailable."""
        its_rows = select(func.count()).where(BUDGET.c.organization_id == budget.organization_id)

        def add(connection: Connection) -> None:
            if (connection.scalar(its_rows) or 0) >= MAX_BUDGETS:
                raise Conflict(f"an organization has {MAX_BUDGETS} budgets at most: remove one first")
            connection.execute(BUDGET.insert().values(_row(budget)))

        try:
            await self._database.write(add)
        except IntegrityError:
            raise _name_is_taken(budget) from None

    async def change_budget(self, budget: Budget) -> bool:
        """Raises: Conflict, StoreUnavailable."""
        is_it = (BUDGET.c.organization_id == budget.organization_id) & (BUDGET.c.id == budget.id)
        update = BUDGET.update().where(is_it).values(_row(budget))
        try:
            return await self._database.write(lambda connection: connection.execute(update).rowcount > 0)
        except IntegrityError:
            raise _name_is_taken(budget) from None

    async def remove_budget(self, organization_id: str, budget_id: str) -> bool:
        """Raises: StoreUnavailable."""
        is_it = (BUDGET.c.organization_id == organization_id) & (BUDGET.c.id == budget_id)
        delete = BUDGET.delete().where(is_it)
        reported = BUDGET_NOTICE.delete().where(BUDGET_NOTICE.c.budget_id == budget_id)

        def remove(connection: Connection) -> bool:
            is_gone = connection.execute(delete).rowcount > 0
            if is_gone:
                connection.execute(reported)
            return is_gone

        return await self._database.write(remove)

    async def report(self, budget: Budget, notices: Sequence[Notice]) -> int:
        """Raises: StoreUnavailable."""

        def add(connection: Connection) -> int:
            insert = _INSERTS[connection.dialect.name](BUDGET_NOTICE).on_conflict_do_nothing()
            rows = [{"notice_id": one.notice_id, "budget_id": budget.id} for one in notices]
            new = set(connection.scalars(insert.returning(BUDGET_NOTICE.c.notice_id), rows))
            return add_notices(connection, [(one, budget.channel_ids) for one in notices if one.notice_id in new])

        return await self._database.write(add) if notices else 0

    async def _read(self, rows: Select[Any]) -> Sequence[Budget]:
        return await self._database.read(
            lambda connection: [_budgets.decode(text) for text in connection.scalars(rows)]
        )

    async def close(self) -> None:
        await self._database.close()


def _row(budget: Budget) -> dict[str, object]:
    return {
        "id": budget.id,
        "organization_id": budget.organization_id,
        "name": budget.name,
        "definition": msgspec.json.encode(budget).decode(),
        "changed_at": budget.changed_at,
    }


def _name_is_taken(budget: Budget) -> Conflict:
    return Conflict(f"there is a budget with the name {budget.name!r}")
