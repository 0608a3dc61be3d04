"""One run of the accounting process, as the proxy's process has it: from its start to its end."""

import asyncio
import itertools
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from multiprocessing.connection import Connection, Pipe
from pathlib import Path
from time import monotonic
from typing import Any, Final

import msgspec

from schemas.errors import StoreUnavailable
from schemas.statement import Statement
from services.embedded.messages import CountBacklog, Failed, QueryRows, Ready, Reply, Report, Request, Status, Stop

_MAX_PENDING: Final = 64  # requests: more of them could fill the channel while nobody reads it, and block the proxy


class Launch(msgspec.Struct, frozen=True, kw_only=True):
    """What every run is started with."""

    environ: Mapping[str, str]
    folder: Path
    listening: socket.socket  # of the query service; every run takes its connections from the same one


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """Why a run has ended."""

    reason: str
    for_good: bool = False


class AccountingProcess:
    """Messages arrive on the event loop that started it."""

    def __init__(
        self, process: subprocess.Popen[bytes], connection: Connection, on_status: Callable[[Status], None]
    ) -> None:
        loop = asyncio.get_running_loop()
        self.ready: asyncio.Future[bool] = loop.create_future()  # False: it has ended before
        self.ended: asyncio.Future[Ended] = loop.create_future()
        self._heard_s = monotonic()
        self._process = process
        self._connection = connection
        self._on_status = on_status
        self._failed: Failed | None = None
        self._ids = itertools.count()
        self._pending: dict[int, asyncio.Future[Any]] = {}
        threading.Thread(target=self._receive, args=(loop,), name="accounting-channel", daemon=True).start()

    @classmethod
    async def start(cls, launch: Launch, on_status: Callable[[Status], None]) -> "AccountingProcess":
        """Not yet ready."""
        here, there = Pipe()
        command = [sys.executable, "-m", "services.embedded"]
        arguments = [str(there.fileno()), str(launch.listening.fileno()), str(launch.folder)]
        try:
            process = await asyncio.to_thread(
                subprocess.Popen,
                command + arguments,
                env=dict(launch.environ),
                stdin=subprocess.DEVNULL,
                pass_fds=(there.fileno(), launch.listening.fileno()),
            )
        finally:
            there.close()
        return cls(process, here, on_status)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def silent_s(self) -> float:
        """Since its last message."""
        return monotonic() - self._heard_s

    def kill(self) -> None:
        self._process.kill()

    def stop(self) -> None:
        """It drains the log and ends."""
        self._send(Stop())

    async def query(self, statement: Statement) -> list[dict[str, Any]]:
        """Rows, as the warehouse has them. Raises: StoreUnavailable."""
        rows: list[dict[str, Any]] = await self._request(lambda number: QueryRows(number, statement))
        return rows

    async def backlog(self) -> int:
        """Events that are in the log and not yet rows. Raises: StoreUnavailable."""
        return int(await self._request(CountBacklog))

    async def _request(self, request: Callable[[int], Request]) -> Any:
        if self.ended.done() or len(self._pending) >= _MAX_PENDING:
            raise StoreUnavailable("accounting does not respond at the moment")
        number = next(self._ids)
        reply = self._pending[number] = asyncio.get_running_loop().create_future()
        self._send(request(number))
        return await reply

    def _send(self, request: Request) -> None:
        with suppress(OSError):  # it has ended; so will `ended`, and all that is pending
            self._connection.send(request)

    def _receive(self, loop: asyncio.AbstractEventLoop) -> None:
        with suppress(RuntimeError):  # the event loop is closed: nobody is interested any more
            try:
                while True:
                    loop.call_soon_threadsafe(self._take, self._connection.recv())
            except (EOFError, OSError):
                loop.call_soon_threadsafe(self._end, self._process.wait())

    def _take(self, report: Report) -> None:
        self._heard_s = monotonic()
        match report:
            case Ready():
                self.ready.set_result(True)
            case Status():
                self._on_status(report)
            case Failed():
                self._failed = report
            case Reply(id=number, value=value, error=error):
                waiting = self._pending.pop(number)
                if not waiting.done():  # it may have been cancelled: its deadline was over
                    waiting.set_exception(StoreUnavailable(error)) if error else waiting.set_result(value)

    def _end(self, return_code: int) -> None:
        self._connection.close()
        for waiting in self._pending.values():
            if not waiting.done():
                waiting.set_exception(StoreUnavailable("accounting has ended"))
        self._pending.clear()
        if not self.ready.done():
            self.ready.set_result(False)
        if self._failed:
            self.ended.set_result(Ended(reason=self._failed.reason, for_good=self._failed.for_good))
        else:
            self.ended.set_result(Ended(reason=_reason(return_code)))


def _reason(return_code: int) -> str:
    if return_code >= 0:
        return f"exit code {return_code}"
    name = signal.Signals(-return_code).name if -return_code in set(signal.Signals) else f"signal {-return_code}"
    return f"killed by {name}"


def resident_mb(*processes: int) -> int:
    """Memory that these processes have now, in MB."""
    return sum(_resident_pages(process) for process in processes) * os.sysconf("SC_PAGE_SIZE") // 2**20


def _resident_pages(process: int) -> int:
    try:
        return int(Path(f"/proc/{process}/statm").read_text(encoding="ascii").split()[1])
    except OSError:
        return 0  # it has just ended
