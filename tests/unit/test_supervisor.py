"""An accounting process that hangs counts nothing, and must not look as if it did."""

import asyncio
import socket
import subprocess
from multiprocessing.connection import Pipe
from pathlib import Path

import pytest

from services.embedded import supervisor
from services.embedded.accounting_process import AccountingProcess, Launch
from services.embedded.supervisor import AccountingSupervisor
from services.telemetry.metrics import Metrics


def test_a_process_that_says_nothing_is_warned_of_until_it_has_ended(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with subprocess.Popen(["sleep", "60"]) as process:
        asyncio.run(_watched(process, monkeypatch, tmp_path))


async def _watched(process: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    metrics, (here, there) = Metrics(), Pipe()
    with socket.socket() as listening:
        watching = AccountingSupervisor(Launch(environ={}, folder=folder, listening=listening), metrics)
        watching._run = run = AccountingProcess(process, here, lambda _: None)
    assert metrics.health.current_warnings() == []
    monkeypatch.setattr(supervisor, "SILENT_S", 0.0)
    (warning,) = metrics.health.current_warnings()
    assert warning.startswith("accounting has not responded for 0 s: calls pass and are kept, and not counted")
    run.kill()
    there.close()
    await run.ended
    assert metrics.health.current_warnings() == []
