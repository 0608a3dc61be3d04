"""The query service as a process: it stops when asked to, whoever is connected."""

import asyncio
import socket
import time
from pathlib import Path

import pytest

from schemas.key import Permission
from services.stores.factory import open_keys
from tests.servers.processes import Process, free_port
from tests.servers.querying import LIST

GRACE_S = 1
SERVE = f"""
import asyncio, os
from services.migrate import migrate
from services.query.__main__ import run
from services.settings.processes import MigrateSettings, QuerySettings
asyncio.run(migrate(MigrateSettings.from_environ(os.environ)))
asyncio.run(run(QuerySettings.from_environ(os.environ), grace_s={GRACE_S}))
"""


async def a_key(state: str) -> str:
    keys = open_keys(state)
    _, secret = await keys.create_key(organization_id="org", name="a key", permission=Permission.READ)
    await keys.close()
    return secret


def test_a_client_that_stalls_cannot_hold_up_the_stop(tmp_path: Path) -> None:
    port = free_port()
    env = {
        "FAREBOX_QUERY_PORT": str(port),
        "FAREBOX_WAREHOUSE": f"chdb:{tmp_path}/warehouse",
        "FAREBOX_STATE": f"sqlite:///{tmp_path}/state.sqlite",
        "FAREBOX_EVENT_LOG": f"journal:{tmp_path}/journal.sqlite",
    }
    ready_url = f"http://127.0.0.1:{port}/readyz"
    with Process(["-c", SERVE], env=env, log=tmp_path / "log", ready_url=ready_url) as process:
        process.ready()
        with socket.create_connection(("127.0.0.1", port)) as stalled:
            key = asyncio.run(a_key(env["FAREBOX_STATE"]))
            head = f"POST {LIST} HTTP/1.1\r\nHost: x\r\nAuthorization: {key}\r\nContent-Length: 9\r\n\r\n"
            stalled.sendall(head.encode() + b"{")
            time.sleep(0.3)
            before = time.monotonic()
            assert process.stop(timeout_s=20) == 0, process.output()
            assert time.monotonic() - before >= GRACE_S


@pytest.mark.parametrize("process", ["proxy", "worker", "query"])
def test_a_process_with_a_wrong_setting_says_which_it_is(tmp_path: Path, process: str) -> None:
    wrong = {f"FAREBOX_{process.upper()}_PORT": "many"}
    with pytest.raises(AssertionError, match=rf"ended with 1:\n.*FAREBOX_{process.upper()}_PORT: Input should be"):
        Process(["-m", f"services.{process}"], env=wrong, log=tmp_path / "process.log").run(30)
