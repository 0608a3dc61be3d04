"""Many calls at once through several proxies against one budget, with one of the proxies killed on the way. They are
of every kind: left by their clients, tried again, sent elsewhere, served from the cache.

What the provider has billed is known from the provider itself. The bound: nothing is spent above the limit but for
calls of unknown bound, which pass while anything is left, and what was reserved by the killed proxy for calls that the
provider had begun, once its lease has ended; until then not even that, as those reservations are held.
"""

import asyncio
import uuid
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Final, NamedTuple

from schemas.key import Permission
from services.ports.budgets import BudgetCounters
from services.stores.factory import open_budget_counters
from services.stores.state.api_keys import SqlKeyStore
from services.stores.state.budgets import SqlBudgets
from services.stores.state.migrations.run import migrate_state
from tests.builders.budgets import a_budget, a_claim
from tests.builders.records import ORGANIZATION
from tests.servers.processes import Process, free_port
from tests.servers.scripted_provider import ScriptedProvider
from tests.support.budget_calls import CACHED, KINDS, BillingProvider

LIMIT_USD: Final = Decimal(5)


class Outcome(NamedTuple):
    billed_usd: Decimal  # by the provider
    billed: dict[str, int]  # calls, by their kind
    unbounded_usd: Decimal  # of what was billed: for calls whose bound was unknown, and whose cost stays so
    counted_usd: Decimal
    reserved_usd: Decimal  # once all has ended: what the killed proxy held
    statuses: dict[int, int]
    hits: int  # responses of the cache
    unchecked: int  # responses to requests that passed without their budgets


class Race:
    """Proxies as processes, which share a state database and counters."""

    def __init__(self, folder: Path, counters_url: str, *, cache_url: str, proxies: int) -> None:
        self._folder = folder
        self._counters_url = counters_url
        self._state = f"sqlite:///{folder / 'state.sqlite'}"
        self._proxies = proxies
        self._cache_url = cache_url

    async def run(self, calls: int, *, kill: bool, seed: int) -> Outcome:
        """`calls` at once. One proxy is killed when a part of them has been sent."""
        secret, budget = await self._prepare()
        async with ScriptedProvider().listening() as provider:
            billing = BillingProvider()
            provider.script_for = billing.script
            with ExitStack() as stack:
                running = [stack.enter_context(self._proxy(number, provider.url)) for number in range(self._proxies)]
                urls = [one.ready_url.removesuffix("/healthz") for one in running]
                await asyncio.to_thread(lambda: [one.ready() for one in running])
                assert await _response(urls[0], CACHED.request(0, secret, provider.url), is_left=False)
                killing = asyncio.create_task(_kill(running[-1], provider, Random(seed))) if kill else None
                responses = await self._ask(urls, secret, calls, provider.url)
                if killing is not None:
                    await killing
                await asyncio.to_thread(lambda: [one.stop() for one in running])
        counters = open_budget_counters(self._counters_url, timeout_s=5)
        try:
            return await _outcome(counters, budget, billing, responses)
        finally:
            await counters.close()

    async def _prepare(self) -> tuple[str, str]:
        """A key's secret and the id of a new budget."""
        await migrate_state(self._state)
        keys, budgets = SqlKeyStore(self._state), SqlBudgets(self._state)
        _, secret = await keys.create_key(organization_id=ORGANIZATION, name="race", permission=Permission.READ_WRITE)
        for old in await budgets.budgets_of(ORGANIZATION):
            await budgets.remove_budget(ORGANIZATION, old.id)
        budget = a_budget(f"{LIMIT_USD}", id=str(uuid.uuid4()))
        await budgets.add_budget(budget)
        await keys.close()
        await budgets.close()
        return secret, budget.id

    async def _ask(self, urls: Sequence[str], secret: str, calls: int, provider_url: str) -> Sequence[bytes]:
        """The responses; b'' of calls without a whole one. Kinds take turns, and then proxies."""
        asking = []
        for number in range(calls):
            turn, place = divmod(number, len(KINDS))
            request = KINDS[place].request(number, secret, provider_url)
            asking.append(_response(urls[turn % len(urls)], request, is_left=KINDS[place].is_left))
        return await asyncio.gather(*asking)

    def _proxy(self, number: int, provider_url: str) -> Process:
        port = free_port()
        return Process(
            ["-m", "services.proxy"],
            env={
                "FAREBOX_STATE": self._state,
                "FAREBOX_EVENT_LOG": f"journal:{self._folder}/journal-{number}.sqlite",
                "FAREBOX_CACHE_URL": self._cache_url,
                "FAREBOX_BUDGETS_URL": self._counters_url,
                "FAREBOX_BUDGETS_TIMEOUT_S": "20",
                "FAREBOX_OPENAI_URL": provider_url,
                "FAREBOX_TARGET_HOSTS": provider_url.removeprefix("http://"),
                "FAREBOX_PROXY_PORT": f"{port}",
            },
            log=self._folder / f"proxy-{number}",
            ready_url=f"http://127.0.0.1:{port}/healthz",
        )


async def _kill(process: Process, provider: ScriptedProvider, draw: Random) -> None:
    wanted = draw.randint(20, 300)
    async with asyncio.timeout(60):
        while len(provider.heads) < wanted:  # noqa: ASYNC110
            await asyncio.sleep(0.002)
    await asyncio.to_thread(process.kill)


async def _response(url: str, request: bytes, *, is_left: bool) -> bytes:
    """b'' where it is not whole."""
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
        try:
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            if is_left and b" 200 " in head:
                await reader.readline()
                return head
            response = head + await reader.read(-1)
        finally:
            writer.close()
    except (OSError, asyncio.IncompleteReadError):
        return b""
    return response if response.endswith((b"}", b"0\r\n\r\n")) else b""


async def _outcome(
    counters: BudgetCounters, budget_id: str, billing: BillingProvider, responses: Sequence[bytes]
) -> Outcome:
    claim = a_claim(a_budget(f"{LIMIT_USD}", id=budget_id), at=datetime.now(UTC))
    [state] = await counters.read([claim.counter])
    return Outcome(
        billed_usd=billing.billed_usd,
        billed=dict(billing.billed),
        unbounded_usd=billing.unbounded_usd,
        counted_usd=Decimal(state.spent_nano) / 10**9,
        reserved_usd=Decimal(state.reserved_nano) / 10**9,
        statuses=dict(Counter(int(one[9:12] or 0) for one in responses)),
        hits=sum(b"helicone-cache: hit" in one.lower() for one in responses),
        unchecked=sum(b"helicone-budget-skipped" in one.lower() for one in responses),
    )
