"""What an operator types beside a Farebox that is loaded: every command there is, and what each must have done."""

import asyncio
import json
import os
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import typer

from schemas.event import DeadLetter, encode_event
from services.cli.app import app
from services.stores.factory import open_event_source
from services.telemetry import Metrics
from tests.builders import an_event
from tests.journeys.story import PROVIDER_KEY, Story

MODEL = "a-model-of-this-journey"  # so that no price of it touches what the load must cost
PUT_BACK_ID = "01932c07-2a00-7000-8000-00000000dead"


def every_command() -> set[str]:
    """The commands of `farebox`, as they are typed."""
    return set(_paths(typer.main.get_command(app), ()))


def _paths(command: Any, path: tuple[str, ...]) -> Iterator[str]:
    for name, below in getattr(command, "commands", {}).items():
        yield from _paths(below, (*path, name))
    if not hasattr(command, "commands"):
        yield " ".join(path)


class Operator:
    """Types commands where Farebox runs, and remembers what must still be true after a restart."""

    def __init__(self, story: Story, *, env: Mapping[str, str], data: Path, proxy_url: str, organization: str) -> None:
        """`env` is what the processes of this Farebox, a worker among them, start with; `data` is for `--data`."""
        self._story = story
        self._env = {name: value for name, value in os.environ.items() if not name.startswith("FAREBOX_")} | dict(env)
        self._data = data
        self._organization = organization
        self._proxy_url = proxy_url
        self._keys: dict[str, str] = {}  # secrets by name
        self.good_key = self.revoked_key = ""
        self.kept_price = self.ended_price = ""

    def type(self, *arguments: str, code: int = 0) -> str:
        """What the command printed. Raises: AssertionError when it ends with another code than `code`."""
        done = subprocess.run(
            [sys.executable, "-m", "services.cli", *arguments],
            env=self._env | {"COLUMNS": "160"},
            check=False,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == code, (arguments, done)
        return done.stdout + done.stderr

    def create_keys(self) -> None:
        where = ("--organization", self._organization, "--data", str(self._data))
        self.good_key = self.type("keys", "create", "--name", "made-beside", *where).strip()
        self.revoked_key = self.type("keys", "create", "--name", "to-be-revoked", *where).strip()
        assert self.call(self.good_key) == 200

    def list_keys(self) -> None:
        listed = self.type("keys", "list", "--organization", self._organization, "--data", str(self._data))
        assert "made-beside" in listed
        assert self.good_key not in listed

    def revoke_key(self) -> None:
        where = ("--organization", self._organization, "--data", str(self._data))
        (key_id,) = re.findall(r"([0-9a-f-]{36})\n  to-be-revoked", self.type("keys", "list", *where))
        self.type("keys", "revoke", key_id, *where)
        assert re.search(rf"{key_id}\n.*\n.*revoked", self.type("keys", "list", *where))

    def add_prices(self) -> None:
        for cost in ("1.25", "2.5"):
            self.type("prices", "add", MODEL, "--input", cost, "--output", "10", "--provider", "OPENAI", *self._here)
        self.kept_price, self.ended_price = self._prices_in_force()

    def list_prices(self) -> None:
        assert MODEL in self.type("prices", "list", *self._here)

    def show_price(self) -> None:
        assert MODEL in self.type("prices", "show", MODEL, "--provider", "OPENAI", *self._here)

    def end_price(self) -> None:
        self.type("prices", "end", self.ended_price, *self._here)
        assert self._prices_in_force() == [self.kept_price]

    def reprice(self) -> None:
        asked = ("--model", MODEL, "--since", "1h")
        self.type("reprice", *asked, "--dry-run", *self._here)
        self.type("reprice", *asked, *self._here)
        assert len(json.loads(self.type("reprice", "--list", "--json", *self._here))) == 2

    def report(self) -> None:
        told = json.loads(self.type("report", "--since", "1d", "--json", *self._here))
        assert told["total"]["requests"] > 0

    def settings(self) -> None:
        assert "FAREBOX_EVENT_LOG" in self.type("settings")

    def doctor(self) -> None:
        told = self.type("doctor", "--proxy", self._proxy_url, *self._here)
        assert re.search(r"proxy +ok", told), told

    def dead_letters(self) -> None:
        """One is put aside, listed, exported, put back, and becomes the row that it stands for."""
        asyncio.run(self._bury())
        here = ("--data", str(self._data))
        assert PUT_BACK_ID in self.type("dead-letters", *here)
        file = self._data.parent / "letters.jsonl"
        self.type("dead-letters", "--export", str(file), *here)
        assert len(file.read_text().splitlines()) >= 1
        assert "put back into the log" in self.type("dead-letters", "--retry", *here)
        self._story.rows([PUT_BACK_ID])

    def salvage(self) -> None:
        """Nothing is damaged, and what is in use is left as it is."""
        is_kafka = self._env["FAREBOX_EVENT_LOG"].startswith("kafka:")
        here = ("--data", str(self._data), *(("--spill",) if is_kafka else ()))
        assert "No file of the journal is damaged" in self.type("journal", "salvage", *here)

    async def _bury(self) -> None:
        event = an_event(request_id=PUT_BACK_ID, organization_id=self._organization, created_at=datetime.now(UTC))
        letter = DeadLetter(payload=encode_event(event), position="journey:1", code="unstorable", reason="a test")
        source = await open_event_source(self._env["FAREBOX_EVENT_LOG"], group="journey", metrics=Metrics())
        await source.write_dead_letters([letter])
        await source.close()

    def refused_to_start(self, *command: str) -> None:
        """What would start a second Farebox on the same folder says that it is in use, and touches nothing."""
        told = self.type(*command, "--data", str(self._data), code=1)
        assert "is in use by another Farebox" in told

    def all_is_as_it_was_told(self) -> None:
        """What the commands did holds after a restart too."""
        assert self.call(self.good_key) == 200
        assert self.call(self.revoked_key) == 401
        assert self._prices_in_force() == [self.kept_price]
        listed = json.loads(self.type("prices", "list", "--json", *self._here))
        assert {row["row_id"] for row in listed if row["model"] == MODEL} == {self.kept_price, self.ended_price}
        assert self._story.ask("/v1/request/count/query", {"filter": "all"}, key=self.good_key)[0] in (200, 201)
        self._story.rows([PUT_BACK_ID])

    def call(self, key: str, within_s: float = 20) -> int:
        """The status of a plain call with `key`; one that the store cannot answer for is made again."""
        deadline_s = time.monotonic() + within_s
        while (status := self._status(key)) == 503 and time.monotonic() < deadline_s:
            time.sleep(0.2)
        return status

    def _status(self, key: str) -> int:
        request = urllib.request.Request(
            f"{self._proxy_url}/oai/v1/chat/completions",
            data=b'{"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Hello!"}]}',
            headers={
                "Authorization": f"Bearer {PROVIDER_KEY}",
                "Helicone-Auth": f"Bearer {key}",
                "Content-Type": "application/json",
            },
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as refusal:
            return refusal.code

    def _prices_in_force(self) -> list[str]:
        rows = json.loads(self.type("prices", "list", "--json", *self._here))
        return [row["row_id"] for row in rows if row["model"] == MODEL and row["valid_until"] is None]

    @property
    def _here(self) -> tuple[str, ...]:
        return ("--url", self._story.query_url, "--key", self._story.key)


# In this order: what is made first is listed and ended later.
EVERYWHERE: Mapping[str, Callable[[Operator], None]] = {
    "keys create": Operator.create_keys,
    "keys list": Operator.list_keys,
    "keys revoke": Operator.revoke_key,
    "prices add": Operator.add_prices,
    "prices list": Operator.list_prices,
    "prices show": Operator.show_price,
    "prices end": Operator.end_price,
    "reprice": Operator.reprice,
    "report": Operator.report,
    "settings": Operator.settings,
    "doctor": Operator.doctor,
    "dead-letters": Operator.dead_letters,
    "journal salvage": Operator.salvage,
}

# These start a Farebox of their own in a folder, which a scaled-out one does not have.
EMBEDDED_ONLY: Mapping[str, Callable[[Operator], None]] = {
    "up": lambda operator: operator.refused_to_start("up"),
    "demo": lambda operator: operator.refused_to_start("demo", "--exit"),
}
