"""BudgetCounters in Valkey or Redis, for any number of proxies. The keys of an organization are in one hash slot."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, Final

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from schemas.budget import Claim, Counter, CounterState, LedgerSums, Reservation, Reserved
from schemas.errors import InvalidSetting, StoreUnavailable
from services.stores.budgets.names import name_of, named
from services.stores.budgets.redis_scripts import READ, REBUILD, RENEW, RESERVE, SETTLE

_PREFIX: Final = "farebox:budget:"
_PER_PIPE: Final = 500  # steps that are sent together


class RedisCounters:
    """Connects when first used."""

    def __init__(self, url: str, *, timeout_s: float, max_connections: int = 64) -> None:
        """Raises: InvalidSetting."""
        try:
            # A burst waits for a connection, within its time: to be refused one would look like an outage.
            pool = BlockingConnectionPool.from_url(
                url,
                decode_responses=True,
                socket_timeout=timeout_s,
                socket_connect_timeout=timeout_s,
                max_connections=max_connections,
                timeout=timeout_s,
                retry=Retry(NoBackoff(), 0),
            )
            self._redis: Redis = Redis.from_pool(pool)
        except ValueError as error:
            raise InvalidSetting(f"budgets_url: {error}") from None
        self._reserve = self._redis.register_script(RESERVE)
        self._settle = self._redis.register_script(SETTLE)
        self._renew = self._redis.register_script(RENEW)
        self._read = self._redis.register_script(READ)
        self._rebuild = self._redis.register_script(REBUILD)

    async def reserve(self, reservation: Reservation, claims: Sequence[Claim]) -> Reserved:
        keys, arguments = [], [reservation.id, str(reservation.amount_nano), str(reservation.lease_s * 1000)]
        for claim in claims:
            counter = claim.counter
            keys += [*_keys(counter, "c", "z", "a"), _of_budget(counter, "i"), _of_budget(counter, "m")]
            arguments += [str(counter.slot), str(counter.oldest_slot), str(claim.limit_nano)]
            arguments += ["1" if claim.is_enforced else "0", str(counter.kept_s), name_of(counter)]
        reply = await self._run(self._reserve, keys, arguments)
        rows = [reply[n : n + 4] for n in range(1, len(reply), 4)]
        return Reserved(
            granted=bool(reply[0]),
            fits=tuple(bool(fits) for fits, *_ in rows),
            states=tuple(
                CounterState(spent_nano=int(spent), reserved_nano=int(held), is_rebuilt=bool(rebuilt))
                for _, spent, held, rebuilt in rows
            ),
        )

    async def settle(self, reservation: Reservation, amount_nano: int, recorded_s: int) -> None:
        keys, arguments = [], [reservation.id, str(amount_nano), str(recorded_s)]
        for counter in reservation.counters:
            keys += [*_keys(counter, "c", "z", "a", "t"), _of_budget(counter, "i")]
            arguments += [str(counter.slot), str(counter.kept_s), name_of(counter)]
        await self._run(self._settle, keys, arguments)

    async def renew(self, reservations: Sequence[Reservation]) -> None:
        for one in reservations:
            keys = [key for counter in one.counters for key in _keys(counter, "z")]
            await self._run(self._renew, keys, [one.id, str(one.lease_s * 1000)])

    async def read(self, counters: Sequence[Counter]) -> Sequence[CounterState]:
        states = []
        for counter in counters:
            keys = [*_keys(counter, "c", "z", "a", "t"), _of_budget(counter, "m")]
            rebuilt, fields, recent = await self._run(self._read, keys, [])
            states.append(_state(counter, _hash(fields), _hash(recent), rebuilt=bool(rebuilt)))
        return states

    async def rebuild(self, sums: LedgerSums) -> None:
        at = Counter(
            organization_id=sums.organization_id,
            budget_id=sums.budget_id,
            value="",
            slot=0,
            oldest_slot=0,
            kept_s=sums.kept_s,
        )
        index = _of_budget(at, "i")
        by_name = {named(sums.organization_id, sums.budget_id, value): slots for value, slots in sums.nano.items()}
        try:
            known = {str(name) for name in await self._redis.smembers(index)}
            names = sorted(by_name.keys() | known)
            for first in range(0, len(names), _PER_PIPE):
                some = {name: by_name.get(name, {}) for name in names[first : first + _PER_PIPE]}
                await self._rebuild_some(sums, some, index)
            await self._redis.set(_of_budget(at, "m"), str(sums.sealed_s))
        except (RedisError, OSError, ValueError) as error:
            raise _unavailable(error) from error

    async def _rebuild_some(self, sums: LedgerSums, some: Mapping[str, Mapping[int, int]], index: str) -> None:
        pipe, place = self._redis.pipeline(transaction=False), _place(sums.organization_id)
        for name, slots in some.items():
            arguments = [str(number) for number in (sums.sealed_s, sums.first_slot, sums.forget_before, sums.kept_s)]
            arguments.append(name)
            for slot, nano in slots.items():
                arguments += [str(slot), str(nano)]
            await self._rebuild([*(f"{place}{kind}:{name}" for kind in "czat"), index], arguments, client=pipe)
        await pipe.execute()

    async def close(self) -> None:
        try:
            await self._redis.aclose()
        except (RedisError, OSError) as error:
            raise _unavailable(error) from error

    async def _run(self, script: Any, keys: Sequence[str], arguments: Sequence[str]) -> Any:
        try:
            return await script(keys, arguments)
        except (RedisError, OSError, ValueError) as error:
            raise _unavailable(error) from error


def _hash(reply: Sequence[str]) -> dict[str, str]:
    return dict(zip(reply[::2], reply[1::2], strict=True))


def _state(counter: Counter, fields: dict[str, str], recent: dict[str, str], *, rebuilt: bool) -> CounterState:
    slots = {int(name): int(nano) for name, nano in fields.items() if name not in ("r", "s")}
    slots = {slot: nano for slot, nano in slots.items() if slot >= counter.oldest_slot}
    lately = (int(nano) for name, nano in recent.items() if int(name.partition(":")[0]) >= counter.oldest_slot)
    seal = fields.get("s")
    return CounterState(
        spent_nano=sum(slots.values()),
        reserved_nano=int(fields.get("r", 0)),
        is_rebuilt=rebuilt,
        slots=slots,
        recent_nano=sum(lately),
        sealed_s=None if seal is None else int(seal),
    )


def _unavailable(error: Exception) -> StoreUnavailable:
    """Not the error's text, which may name the server and its password."""
    return StoreUnavailable(f"counters of budgets: {type(error).__name__}")


def _place(organization_id: str) -> str:
    return f"{_PREFIX}{{{hashlib.sha256(organization_id.encode()).hexdigest()[:16]}}}:"


def _keys(counter: Counter, *kinds: str) -> list[str]:
    place, name = _place(counter.organization_id), name_of(counter)
    return [f"{place}{kind}:{name}" for kind in kinds]


def _of_budget(counter: Counter, kind: str) -> str:
    return f"{_place(counter.organization_id)}{kind}:{counter.budget_id}"
