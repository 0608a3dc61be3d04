"""Names and values that no request has are no zeros: a response that used one comes with a warning.

What was seen stays seen, so it is cached. What was not is looked up while the query itself runs.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from itertools import zip_longest
from typing import Final, TypeVar

from cachetools import TTLCache

from schemas.api.requests import NameWarning
from schemas.errors import QueryLimitExceeded, Unavailable
from schemas.tables import Operator
from services.ports.clock import Clock
from services.ports.warehouse import Warehouse
from services.query.caches import PropertyNameCache
from services.sql.names import Names, compile_nearest_property, compile_nearest_value, compile_seen
from services.sql.nodes import Compare
from services.sql.values import shown

_SEEN_TTL_S: Final = 60.0
_MAX_SEEN_CHARACTERS: Final = 4 * 2**20
_ENTRY_CHARACTERS: Final = 200  # what an entry takes beside its texts, about
_MAX_WARNINGS: Final = 16
_MAX_NEAREST: Final = 3  # that are looked for: each takes as long as reading a column

T = TypeVar("T")


class NameCheck:
    """Which names of a query were ever seen in its organization."""

    def __init__(self, warehouse: Warehouse, property_names: PropertyNameCache, clock: Clock) -> None:
        self._warehouse = warehouse
        self._property_names = property_names
        self._seen: TTLCache[tuple[str, Compare], int] = TTLCache(
            _MAX_SEEN_CHARACTERS, _SEEN_TTL_S, timer=lambda: clock.now().timestamp(), getsizeof=lambda size: size
        )

    async def beside(
        self, organization_id: str, names: Names, result: Awaitable[T], is_empty: Callable[[T], bool]
    ) -> tuple[T, list[NameWarning]]:
        """`result`, and warnings of names that were never seen. They are found while it is awaited.

        Patterns, what takes long to find and what every row of the result has are looked for only where it is empty.
        Raises what `result` raises; where the check itself would take too much, there are no warnings.
        """
        found, warnings = await asyncio.gather(result, self._unseen(organization_id, names.properties, names.values))
        absent = {warning.name for warning in warnings if warning.column is None}
        searched = [value for value in names.searched if value.key not in absent]
        if searched and is_empty(found):
            warnings += await self._unseen(organization_id, (), searched)
        return found, warnings[:_MAX_WARNINGS]

    async def never_seen(self, organization_id: str, names: Names) -> list[NameWarning]:
        """Warnings of what is kept and used later, as by an alert: all of it that the limits of queries allow."""
        return await self._unseen(organization_id, names.properties, (*names.values, *names.searched))

    async def _unseen(self, organization_id: str, keys: Sequence[str], values: Sequence[Compare]) -> list[NameWarning]:
        try:
            known, unseen = await asyncio.gather(
                self._property_names.spellings_of(organization_id, keys), self._unseen_values(organization_id, values)
            )
            absent = [key for key in keys if key not in known]
            wrong: list[str | Compare] = [*absent, *(value for value in unseen if value.key not in absent)]
            wrong = wrong[:_MAX_WARNINGS]
            near = [await self._nearest(organization_id, one) for one in wrong[:_MAX_NEAREST]]
            return [await self._warning(organization_id, *each) for each in zip_longest(wrong, near)]
        except (Unavailable, QueryLimitExceeded):
            return []

    async def _unseen_values(self, organization_id: str, values: Sequence[Compare]) -> list[Compare]:
        unknown = [value for value in values if (organization_id, value) not in self._seen]
        if not unknown:
            return []
        rows = await self._warehouse.query(compile_seen(organization_id, unknown))
        places = {row["place"] for row in rows}
        for place in places:
            value = unknown[place]
            self._seen[organization_id, value] = len(str(value.value)) + len(value.key or "") + _ENTRY_CHARACTERS
        return [value for place, value in enumerate(unknown) if place not in places]

    async def _nearest(self, organization_id: str, wrong: str | Compare) -> str | None:
        if isinstance(wrong, Compare):
            statement = compile_nearest_value(organization_id, wrong)
        else:
            statement = compile_nearest_property(organization_id, wrong)
        rows = [] if statement is None else await self._warehouse.query(statement)
        return str(rows[0]["nearest"]) if rows else None

    async def _warning(self, organization_id: str, wrong: str | Compare, nearest: str | None) -> NameWarning:
        if isinstance(wrong, str):
            nearest = nearest and await self._spelled(organization_id, nearest)
            message = f"no request has the property {shown(wrong)}{_meant(nearest)}"
            return NameWarning(code="unknown_property", message=message, column=None, name=wrong, nearest=nearest)
        column, name = wrong.column.name, str(wrong.value)
        if wrong.key is not None:
            column = f"properties.{await self._spelled(organization_id, wrong.key)}"
        value = "the value" if wrong.operator is Operator.EQUALS else "a value that matches"
        message = f"no request has {value} {shown(name)} in {column}{_meant(nearest)}"
        return NameWarning(code="unknown_value", message=message, column=column, name=name, nearest=nearest)

    async def _spelled(self, organization_id: str, key: str) -> str:
        return (await self._property_names.spellings_of(organization_id, [key])).get(key, key)


def _meant(nearest: str | None) -> str:
    return "" if nearest is None else f"; the nearest is {shown(nearest)}"
