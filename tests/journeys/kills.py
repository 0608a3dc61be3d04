"""Farebox killed, starved of disk and of descriptors under load, and a ledger that must come out exactly."""

import asyncio
import random
import re
import resource
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

from schemas.event import decode_event
from schemas.key import Permission
from services.embedded.data_folder import ORGANIZATION, DataFolder
from services.stores.factory import open_keys
from services.stores.journal.file import unpack_segment
from services.stores.state.migrations.run import migrate_state
from tests.journeys.load import Load
from tests.journeys.story import Story
from tests.servers.processes import Process, children_of, free_port

CONNECTIONS = 8
PAUSE_S = 0.002  # of a connection between two calls
REQUESTS = 10_000_000  # more than there is time for
UNDER_LOAD_S = (0.05, 1.0)  # from when it responses until it is killed
STARVED_S = 3.0
START_S = 180  # on a machine that has other work too


class KillOutcome(NamedTuple):
    """What came of the calls that were made while Farebox was treated badly."""

    kills: int
    completed: int  # calls whose response arrived whole
    broken: int  # calls whose response did not, also since nobody listened
    lost: int  # completed calls without a row
    oldest_lost_ms: float  # how long before its proxy was killed the oldest of them was completed
    wrong: int  # rows whose cost is not what the ledger says
    doubled_rows: int
    doubled_events: int  # in the log, which replace each other's row

    @property
    def is_exact(self) -> bool:
        return not (self.lost or self.wrong or self.doubled_rows or self.doubled_events)


class Victim:
    """Farebox in the folder `data`, as `farebox up` or as a proxy alone; the same calls and the same ledger."""

    def __init__(self, data: Path, *, provider_url: str, durability: str) -> None:
        self.data = data
        self.proxy_port, self.query_port = free_port(), free_port()
        self.proxy_url, self.query_url = (f"http://127.0.0.1:{port}" for port in (self.proxy_port, self.query_port))
        self.env = DataFolder(data).environ(
            {
                "FAREBOX_OPENAI_URL": provider_url,
                "FAREBOX_ANTHROPIC_URL": provider_url,
                "FAREBOX_PROXY_PORT": str(self.proxy_port),
                "FAREBOX_QUERY_PORT": str(self.query_port),
                "FAREBOX_DURABILITY": durability,
                "FAREBOX_LOG_LEVEL": "warning",
            }
        )
        log = data.parent / f"{data.name}.log"
        up = ["-m", "services.cli", "up", "--data", str(data)]
        self.up = Process(up, env=self.env, log=log, ready_url=f"{self.query_url}/readyz")
        self.proxy = Process(["-m", "services.proxy"], env=self.env, log=log, ready_url=f"{self.proxy_url}/healthz")
        self.key = asyncio.run(self._new_key())
        self.killed_s: list[float] = []

    @contextmanager
    def loaded(self, pause_s: float = PAUSE_S) -> Iterator[Load]:
        """Calls run while the block does; each connection rests `pause_s` between two of them."""
        load = Load([self.proxy_port], key=self.key, requests=REQUESTS, connections=CONNECTIONS, pause_s=pause_s)
        thread = threading.Thread(target=lambda: asyncio.run(load.run()))
        thread.start()
        try:
            yield load
        finally:
            load.stop()
            thread.join(60)

    def kill(self, process: Process) -> None:
        process.kill()
        self.killed_s.append(time.monotonic())

    def outcome(self, load: Load, *, within_s: float = 300) -> KillOutcome:
        """Compares the ledger with the rows of a Farebox that runs, once it has caught up."""
        story = Story(proxy_url=self.proxy_url, query_url=self.query_url, key=self.key)
        deadline_s = time.monotonic() + within_s
        rows: dict[str, Decimal | None] = {}
        listed, counted = 0, -1
        while time.monotonic() < deadline_s:
            if counted == (counted := story.count()):  # no more come: now all pages are worth reading
                found = list(story.paged())
                listed = len(found)
                rows = {
                    row["request_id"]: None if row["cost_usd"] is None else Decimal(row["cost_usd"]) for row in found
                }
                is_late = time.monotonic() > deadline_s - within_s / 2
                if listed == counted and (set(load.ledger) <= set(rows) or is_late):
                    break
            time.sleep(1)
        story.close()
        lost = load.ledger.keys() - rows.keys()
        return KillOutcome(
            kills=len(self.killed_s),
            completed=len(load.ledger),
            broken=load.broken,
            lost=len(lost),
            oldest_lost_ms=max((1000 * self._age_s(load.completed_s[one]) for one in lost), default=0.0),
            wrong=sum(1 for one, cost in load.ledger.items() if one in rows and rows[one] != cost),
            doubled_rows=listed - len(rows),
            doubled_events=sum(count - 1 for count in self._events().values()),
        )

    def _age_s(self, completed_s: float) -> float:
        return min((killed_s - completed_s for killed_s in self.killed_s if killed_s > completed_s), default=0.0)

    def _events(self) -> Counter[str]:
        """How often each request stands in the log."""
        journal = sqlite3.connect(self.data / "journal.sqlite")
        try:
            packed = journal.execute("SELECT payload FROM segment").fetchall()
        finally:
            journal.close()
        payloads = (payload for (one,) in packed for payload in unpack_segment(one) or ())
        return Counter(decode_event(payload).request.request_id for payload in payloads)

    async def _new_key(self) -> str:
        await migrate_state(self.env["FAREBOX_STATE"])
        keys = open_keys(self.env["FAREBOX_STATE"])
        try:
            return (await keys.create_key(organization_id=ORGANIZATION, name="kills", permission=Permission.ADMIN))[1]
        finally:
            await keys.close()


def kill_proxies(
    data: Path, *, provider_url: str, durability: str, kills: int, within_s: float = 600, seed: int = 1
) -> KillOutcome:
    """A proxy under load is killed at random timestamps and started again, `kills` times or as often as time allows."""
    victim, draw = Victim(data, provider_url=provider_url, durability=durability), random.Random(seed)
    deadline_s = time.monotonic() + within_s
    victim.proxy.start().ready(START_S)
    with victim.loaded() as load:
        while len(victim.killed_s) < kills and time.monotonic() < deadline_s:
            completed = len(load.ledger)
            time.sleep(draw.uniform(*UNDER_LOAD_S))
            while len(load.ledger) == completed and time.monotonic() < deadline_s:
                time.sleep(0.001)
            victim.kill(victim.proxy)
            victim.proxy.start().ready(START_S)
    victim.proxy.stop()
    with victim.up:
        victim.up.ready(START_S)
        return victim.outcome(load)


def kill_beside_commands(
    data: Path, *, provider_url: str, kills: int, within_s: float = 600, seed: int = 1
) -> KillOutcome:
    """`farebox up` under load is killed while an operator makes and revokes keys, retries dead letters, adds prices.

    Every command succeeds at least once, and a key that was revoked stays revoked.
    """
    victim, draw = Victim(data, provider_url=provider_url, durability="standard"), random.Random(seed)
    typist = Typist(victim)
    deadline_s = time.monotonic() + within_s
    victim.up.start().ready(START_S)
    typist.start()
    try:
        with victim.loaded() as load:
            while len(victim.killed_s) < kills and time.monotonic() < deadline_s:
                time.sleep(draw.uniform(1, 4))
                victim.kill(victim.up)
                victim.up.start().ready(START_S)
    finally:
        typist.finish()
        victim.kill(victim.up)
    with victim.up:
        victim.up.ready(START_S)
        typist.check()
        return victim.outcome(load)


class Typist:
    """An operator who types one command after the other beside a Farebox that is killed."""

    def __init__(self, victim: Victim) -> None:
        here = ("--data", str(victim.data))
        api = ("--url", victim.query_url, "--key", victim.key)
        self._victim = victim
        self._here = here
        self._commands: Mapping[str, Sequence[str]] = {
            "keys create": ("keys", "create", "--name", "to-be-revoked", *here),
            "dead-letters": ("dead-letters", *here),
            "dead-letters --retry": ("dead-letters", "--retry", *here),
            "prices add": ("prices", "add", "a-model-of-nobody", "--input", "1", *api),
            "keys list": ("keys", "list", *here),
            "prices list": ("prices", "list", *api),
        }
        self._succeeded: Counter[str] = Counter()
        self._revoked: set[str] = set()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._type)

    def start(self) -> None:
        self._thread.start()

    def finish(self) -> None:
        """Returns after the round of commands that was begun."""
        self._stop.set()
        self._thread.join(300)

    def check(self) -> None:
        never = {name for name in (*self._commands, "keys revoke") if not self._succeeded[name]}
        assert not never, f"never succeeded: {never}"
        listed = self._run("keys list", *self._commands["keys list"])
        forgotten = {key_id for key_id in self._revoked if not re.search(rf"{key_id}\n.*\n.*revoked", listed)}
        assert not forgotten, f"revoked, and in force again: {forgotten}"

    def _type(self) -> None:
        while not self._stop.is_set():
            for name, command in self._commands.items():
                output = self._run(name, *command)
                if name == "keys list":
                    self._revoke(output)

    def _revoke(self, listed: str) -> None:
        fresh = set(re.findall(r"([0-9a-f-]{36})\n  to-be-revoked", listed)) - self._revoked
        for key_id in sorted(fresh)[:1]:
            if self._run("keys revoke", "keys", "revoke", key_id, *self._here):
                self._revoked.add(key_id)

    def _run(self, name: str, *command: str) -> str:
        """What it printed; empty when it failed, which is as it should be while Farebox is down."""
        arguments = [sys.executable, "-m", "services.cli", *command]
        done = subprocess.run(
            arguments, env=self._victim.up.env, check=False, capture_output=True, text=True, timeout=120
        )
        self._succeeded[name] += done.returncode == 0
        return done.stdout if done.returncode == 0 else ""


def starve(data: Path, *, provider_url: str, begin: Callable[[Victim, int], Callable[[], None]]) -> KillOutcome:
    """`farebox up` under load lacks something for a while, and heals by itself; then it is killed.

    `begin` takes it away from the process of that id, and says how it is given back.
    """
    victim = Victim(data, provider_url=provider_url, durability="standard")
    victim.up.start().ready(START_S)
    with victim.loaded() as load:
        time.sleep(1)
        failures = _failures(victim, load)
        give_back = begin(victim, victim.up.pid)
        try:
            time.sleep(STARVED_S)
        finally:
            give_back()
        starved = _comes_true(lambda: _failures(victim, load) > failures)
        before = len(load.ledger)
        deadline_s = time.monotonic() + 60
        while len(load.ledger) < before + 100 and time.monotonic() < deadline_s:
            time.sleep(0.1)
    healed = _is_durable(victim.proxy_url)
    victim.kill(victim.up)
    assert starved, "something failed for lack of it"
    assert healed, "what was published is durable again"
    with victim.up:
        victim.up.ready(START_S)
        return victim.outcome(load)


def _failures(victim: Victim, load: Load) -> int:
    """Attempts that failed: to write the log, to cover an event, to write rows, to make a call."""
    counts = Counter(_counts(victim.proxy_url)) + Counter(_counts(victim.query_url))
    return load.broken + sum(
        counts[name] for name in ("log_write_failures_total", "log_uncovered_total", "worker_retries_total")
    )


def _comes_true(is_so: Callable[[], bool], within_s: float = 30) -> bool:
    deadline_s = time.monotonic() + within_s
    while not is_so():
        if time.monotonic() > deadline_s:
            return False
        time.sleep(0.2)
    return True


def _is_durable(proxy_url: str, within_s: float = 60) -> bool:
    """Whether the log has made everything durable that was published, and lost nothing."""
    deadline_s = time.monotonic() + within_s
    while time.monotonic() < deadline_s:
        counts = _counts(proxy_url)
        if counts.get("log_published_total", -1) == counts.get("log_durable_total"):
            return counts["log_lost_total"] == 0
        time.sleep(0.2)
    return False


def _counts(proxy_url: str) -> dict[str, int]:
    try:
        with urllib.request.urlopen(f"{proxy_url}/metrics", timeout=5) as response:
            lines = [line.split() for line in response.read().decode().splitlines() if not line.startswith("#")]
    except (urllib.error.URLError, OSError):
        return {}
    return {name.removeprefix("farebox_"): int(float(value)) for name, value in lines if "{" not in name}


def without_disk(victim: Victim, _pid: int) -> Callable[[], None]:
    """Fills the disk that the data is on, which should be a small one."""
    ballast = victim.data.parent / "ballast"
    with ballast.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(2**16))
        except OSError:
            pass
    return ballast.unlink


def without_descriptors(_victim: Victim, pid: int) -> Callable[[], None]:
    """No file and no connection may be opened any more, by it and by its accounting."""
    limits = {one: resource.prlimit(one, resource.RLIMIT_NOFILE) for one in (pid, *children_of(pid))}
    for one, (_, hard) in limits.items():
        resource.prlimit(one, resource.RLIMIT_NOFILE, (3, hard))

    def give_back() -> None:
        for one, before in limits.items():
            resource.prlimit(one, resource.RLIMIT_NOFILE, before)

    return give_back


@contextmanager
def small_disk(folder: Path, *, size_mb: int = 160) -> Iterator[Path | None]:
    """A file system of that size; None where none may be mounted."""
    place = folder / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size_mb}m", "tmpfs", str(place)], check=False, capture_output=True
    )
    if mounted.returncode != 0:
        yield None
        return
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=False, capture_output=True)
