"""Many keys looked up at once: they share queries, and a flood of wrong ones refuses nobody who has a good one."""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from schemas.errors import StoreUnavailable
from schemas.key import Permission
from services.stores.state.api_keys import SqlKeyStore
from services.stores.state.key_lookups import BATCH_KEYS, MAX_QUERIES, KeyLookups
from services.stores.state.migrations.run import migrate_state
from tests.servers.proxy_rig import rig

pytestmark = pytest.mark.anyio


class Database:
    """Holds "good", and takes a timestamp for each query."""

    def __init__(self) -> None:
        self.queries: list[int] = []  # how many hashes each requested
        self.running = 0
        self.unreachable = False

    async def query(self, hashes: Sequence[str]) -> Mapping[str, str]:
        self.queries.append(len(hashes))
        self.running += 1
        assert self.running <= MAX_QUERIES
        await asyncio.sleep(0.005)
        self.running -= 1
        if self.unreachable:
            raise StoreUnavailable("keys")
        return {key_hash: "found" for key_hash in hashes if key_hash == "good"}


async def test_keys_that_are_looked_up_at_once_share_a_few_queries() -> None:
    database = Database()
    lookups = KeyLookups(database.query)
    flood = [asyncio.create_task(lookups.find(f"wrong {number % 3000}")) for number in range(6000)]
    await asyncio.sleep(0)
    assert await lookups.find("good") == "found"
    assert await asyncio.gather(*flood) == [None] * 6000
    assert len(database.queries) <= 6000 / BATCH_KEYS + MAX_QUERIES + 1
    assert max(database.queries) <= BATCH_KEYS


async def test_an_outage_is_everybodys_and_ends() -> None:
    database = Database()
    lookups = KeyLookups(database.query)
    database.unreachable = True
    reported = await asyncio.gather(*(lookups.find(f"{number}") for number in range(10)), return_exceptions=True)
    assert [type(each) for each in reported] == [StoreUnavailable] * 10
    database.unreachable = False
    assert await lookups.find("good") == "found"


async def test_who_stops_waiting_takes_nobody_along() -> None:
    lookups = KeyLookups(Database().query)
    leaving, staying = asyncio.create_task(lookups.find("other")), asyncio.create_task(lookups.find("good"))
    await asyncio.sleep(0.001)
    leaving.cancel()
    assert await staying == "found"
    assert leaving.cancelled()


async def test_a_flood_of_wrong_keys_refuses_no_good_one_that_is_used_for_the_first_time(tmp_path: Path) -> None:
    state = f"sqlite:///{tmp_path}/state.sqlite"
    await migrate_state(state)
    store = SqlKeyStore(state)
    secrets = [
        (await store.create_key(organization_id="org", name="", permission=Permission.WRITE))[1] for _ in range(20)
    ]
    async with rig(key_store=store) as proxy:

        async def status(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, secret: str) -> int:
            writer.write(
                b"POST /custom/v1/log HTTP/1.1\r\nHost: proxy\r\nAuthorization: Bearer %b\r\nContent-Length: 0\r\n\r\n"
                % secret.encode()
            )
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
            await reader.readexactly(int(length.split(b":")[1]))
            return int(head.split()[1])

        async def flood(client: int) -> set[int]:
            reader, writer = await proxy.connect()
            seen = {await status(reader, writer, f"sk-helicone-wrong-{client}-{number}") for number in range(10)}
            writer.close()
            return seen

        async def first_calls() -> list[int]:
            statuses = []
            for secret in secrets:
                reader, writer = await proxy.connect()
                statuses.append(await status(reader, writer, secret))
                writer.close()
            return statuses

        async with asyncio.timeout(60):
            flooding = [asyncio.create_task(flood(client)) for client in range(400)]
            await asyncio.sleep(0.1)
            good = await first_calls()
            wrong = set().union(*await asyncio.gather(*flooding))
    await store.close()
    assert good == [400] * 20  # let in, and reported that an empty body is no log
    assert wrong == {401}
