"""What an operator types beside a Farebox that is loaded: every command there is, and what each must have done."""

import asyncio
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import typer
from typer.testing import CliRunner

from schemas.event import DeadLetter, RequestTags, encode_event
from services.cli.app import app
from services.stores.factory import open_event_source
from services.telemetry.metrics import Metrics
from tests.builders.records import an_event
from tests.journeys.story import PROVIDER_KEY, Story

MODEL = "a-model-of-this-journey"  # so that no price of it touches what the load must cost
PUT_BACK_ID = "01932c07-2a00-7000-8000-00000000dead"
FORGOTTEN = "user-of-the-letter"


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

    def request(self, *arguments: str) -> str:
        """What the command printed, which only requests the query service: it runs in this process, in less time.

        Raises: AssertionError when it fails.
        """
        here = ("--url", self._story.query_url, "--key", self._story.key)
        done = CliRunner().invoke(app, [*arguments, *here], env=self._env | {"COLUMNS": "160"})
        assert done.exit_code == 0, (arguments, done.output, done.exception)
        return done.output

    def type(self, *arguments: str, code: int = 0) -> str:
        """What a command printed that works on the stores itself. It runs in this process, which is none of Farebox's.

        Raises: AssertionError when it ends with another code than `code`.
        """
        done = CliRunner().invoke(app, list(arguments), env=self._env | {"COLUMNS": "160"})
        assert done.exit_code == code, (arguments, done.output, done.exception)
        return done.output

    def start(self, *arguments: str, code: int) -> str:
        """What the command printed, as a process of its own.

        Raises: AssertionError when it ends with another code than `code`.
        """
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

    def rotate_key(self) -> None:
        where = ("--organization", self._organization, "--data", str(self._data))
        (key_id,) = re.findall(r"([0-9a-f-]{36})\n  made-beside", self.type("keys", "list", *where))
        old, self.good_key = self.good_key, self.type("keys", "rotate", key_id, *where).strip()
        assert (self.call(old), self.call(self.good_key)) == (200, 200)

    def import_keys(self) -> None:
        where = ("--organization", self._organization, "--data", str(self._data))
        with tempfile.NamedTemporaryFile("w") as file:
            file.write("sk-helicone-imported-by-the-operator imported-key\n")
            file.flush()
            assert "1 key imported" in self.type("keys", "import", file.name, *where)
        assert self.call("sk-helicone-imported-by-the-operator") == 200

    def revoke_key(self) -> None:
        where = ("--organization", self._organization, "--data", str(self._data))
        (key_id,) = re.findall(r"([0-9a-f-]{36})\n  to-be-revoked", self.type("keys", "list", *where))
        self.type("keys", "revoke", key_id, *where)
        assert re.search(rf"{key_id}\n.*\n.*revoked", self.type("keys", "list", *where))

    def add_upstream(self) -> None:
        given = ("--url", "https://team.openai.azure.com", "--provider", "AZURE")
        assert self.type("upstreams", "add", "Team", *given, *self._state) == "added team\n"

    def replace_provider_key(self) -> None:
        given = ("--provider", "OPENAI", "--url", "https://own.example", "--provider-key-from", "env:PATH")
        self.type("upstreams", "add", "own", *given, *self._state)
        replaced = self.type("upstreams", "key", "own", "--provider-key-from", "env:HOME", *self._state)
        assert replaced == "replaced the provider's key of own\n"
        self.type("upstreams", "remove", "own", *self._state)

    def add_channel(self) -> None:
        given = ("--kind", "email", "--recipient", "finance@example.com")
        assert self.type("channels", "add", "finance", *given, *self._state).startswith("added finance")

    def change_channel(self) -> None:
        given = ("--recipient", "finance@example.com")
        assert self.type("channels", "change", "finance", *given, *self._state) == "changed finance\n"

    def list_channels(self) -> None:
        assert "email to finance@example.com" in self.type("channels", "list", *self._state)

    def try_channel(self) -> None:
        # Nobody takes mail here.
        assert "waiting  test  finance" in self.type(
            "channels", "test", "finance", "--wait-s", "0", *self._state, code=1
        )

    def show_deliveries(self) -> None:
        assert "waiting  test  finance" in self.type("channels", "log", "finance", *self._state)

    def remove_channel(self) -> None:
        self.type("channels", "remove", "finance", *self._state)
        assert "cancelled  test  finance" in self.type("channels", "log", *self._state)

    def create_report(self) -> None:
        given = ("--channel", "finance", "--weekday", "5", "--at", "17:30", "--by", "Feature", "--filter", "model~gpt")
        assert "created Weekly costs: " in self.request("reports", "create", "Weekly costs", *given)

    def list_reports(self) -> None:
        assert "every Friday at 17:30 (UTC), next at " in self.request("reports", "list")

    def show_report(self) -> None:
        shown = self.request("reports", "show", "Weekly costs")
        assert "cost_usd by Feature" in shown
        assert "to finance" in shown

    def change_report(self) -> None:
        assert "every Friday at 18:00 (UTC)" in self.request("reports", "change", "Weekly costs", "--at", "18:00")

    def preview_report(self) -> None:
        assert "nothing was sent" in self.request("reports", "preview", "Weekly costs")

    def send_report(self) -> None:
        assert "made within seconds" in self.request("reports", "send", "Weekly costs")

    def delete_report(self) -> None:
        assert self.request("reports", "delete", "Weekly costs") == "deleted\n"
        assert "no scheduled reports yet" in self.request("reports", "list")

    def create_budget(self) -> None:
        """The guide's limit of free users."""
        given = ("--limit", "25", "--per", "user", "--where", "UserTier=free")
        assert "\ncreated free tier: " in "\n" + self.request("budgets", "create", "free tier", *given)

    def list_budgets(self) -> None:
        terms = "$25 per month (UTC) for each user, usertier=free: block"
        assert terms in self.request("budgets", "list")

    def show_budget(self) -> None:
        shown = self.request("budgets", "show", "free tier", "--value", "nobody-yet")
        assert "nobody-yet: $0 spent, $25 of $25 left" in shown

    def change_budget(self) -> None:
        assert "$26 per month" in self.request("budgets", "change", "free tier", "--limit", "26", "--shadow")
        self.request("budgets", "change", "free tier", "--limit", "25", "--enforce")

    def show_budget_history(self) -> None:
        assert "refused no request" in self.request("budgets", "history", "free tier")

    def show_spend(self) -> None:
        assert "user nobody-yet: $0 spent" in self.request("budgets", "spend", "--user", "nobody-yet")

    def override_budget(self) -> None:
        given = ("--limit", "50", "--until", "2100-01-01T00:00:00Z")
        assert "has the limit $50" in self.request("budgets", "override", "free tier", *given)
        assert "own limit again" in self.request("budgets", "override", "free tier", "--end")

    def remove_budget(self) -> None:
        self.request("budgets", "remove", "free tier")
        assert "no budgets yet" in self.request("budgets", "list")

    def list_upstreams(self) -> None:
        assert "AZURE at https://team.openai.azure.com" in self.type("upstreams", "list", *self._state)

    def remove_upstream(self) -> None:
        self.type("upstreams", "remove", "team", *self._state)
        assert "no upstreams yet" in self.type("upstreams", "list", *self._state)

    def add_prices(self) -> None:
        for cost in ("1.25", "2.5"):
            self.request("prices", "add", MODEL, "--input", cost, "--output", "10", "--provider", "OPENAI")
        self.kept_price, self.ended_price = self._prices_in_force()

    def list_prices(self) -> None:
        assert MODEL in self.request("prices", "list")

    def show_price(self) -> None:
        assert MODEL in self.request("prices", "show", MODEL, "--provider", "OPENAI")

    def end_price(self) -> None:
        self.request("prices", "end", self.ended_price)
        assert self._prices_in_force() == [self.kept_price]

    def reprice(self) -> None:
        requested = ("--model", MODEL, "--since", "1h")
        self.request("reprice", *requested, "--dry-run")
        self.request("reprice", *requested)
        assert len(json.loads(self.request("reprice", "--list", "--json"))) == 2

    def report(self) -> None:
        reported = json.loads(self.request("report", "--since", "1d", "--json"))
        assert reported["total"]["requests"] > 0

    def savings(self) -> None:
        assert json.loads(self.request("savings", "--since", "1d", "--json"))

    def anomalies(self) -> None:
        assert json.loads(self.request("anomalies", "--json"))["anomalies"] == []

    def distribution(self) -> None:
        assert json.loads(self.request("distribution", "request", "--since", "1d", "--json"))["count"] > 0

    def export(self) -> None:
        file = self._data.parent / "requests.csv"
        self.request("export", "--since", "1h", "--out", str(file))
        assert len(file.read_text().splitlines()) > 13

    def import_value(self) -> None:
        file = self._data.parent / "value.csv"
        file.write_text("id,amount,period,user_id\ninvoice-1,1200,2026-11,ann\n")
        self.request("value", "import", str(file))

    def list_value(self) -> None:
        listed = self.request("value", "list", "--start", "2026-11-01", "--end", "2026-12-01")
        assert "invoice-1" in listed

    def delete_value(self) -> None:
        self.request("value", "delete", "invoice-1")

    def create_alert(self) -> None:
        given = ("--threshold", "1000000", "--percents", "50,100", "--calendar", "month", "--by", "Feature")
        made = self.request("alerts", "create", "A journey", *given, "--email", "finance@example.com")
        assert "created " in made
        assert "It would have fired 0 times" in made, made

    def list_alerts(self) -> None:
        assert "A journey" in self.request("alerts", "list")

    def show_alert(self) -> None:
        assert "tells finance@example.com" in self.request("alerts", "show", "A journey")

    def explain_alert(self) -> None:
        assert "threshold and time window: " in self.request("alerts", "explain", "A journey")

    def show_alert_history(self) -> None:
        assert "It fired 0 times." in self.request("alerts", "history", "A journey")

    def change_alert(self) -> None:
        assert "A journey" in self.request("alerts", "change", "A journey", "--cooldown", "10m")

    def mute_alert(self) -> None:
        assert "muted until" in self.request("alerts", "mute", "A journey", "--until", "2200-01-01")
        assert "muted until" not in self.request("alerts", "mute", "A journey")

    def backtest_alert(self) -> None:
        """It looks at whole minutes, so the first calls are not in it until theirs is over."""
        given = ("--metric", "requests", "--threshold", "1", "--since", "24h")
        deadline_s = time.monotonic() + 180
        while "firing" not in (tried := self.request("alerts", "backtest", *given)):
            assert time.monotonic() < deadline_s, tried
            time.sleep(1)

    def delete_alert(self) -> None:
        self.request("alerts", "delete", "A journey")
        assert "A journey" not in self.request("alerts", "list")

    def settings(self) -> None:
        assert "FAREBOX_EVENT_LOG" in self.type("settings")

    def doctor(self) -> None:
        reported = self.request("doctor", "--proxy", self._proxy_url)
        assert re.search(r"proxy +ok", reported), reported

    def dead_letters(self) -> None:
        """One is put aside, listed, exported, put back, and becomes the row that it stands for."""
        asyncio.run(self._dead_letter())
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

    def erase_user(self) -> None:
        """Of the letter that was put back, and of nobody else."""
        assert "the bodies of 1 request are deleted" in self.request("erase", FORGOTTEN, "--yes")

    def clear_cache(self) -> None:
        """Nothing of the load is cached, and what is asked for again goes to the provider again."""
        assert re.search(r"responses? deleted", self.request("cache", "clear"))

    async def _dead_letter(self) -> None:
        event = an_event(
            request_id=PUT_BACK_ID,
            organization_id=self._organization,
            created_at=datetime.now(UTC),
            tags=RequestTags(user_id=FORGOTTEN),
        )
        dead_letter = DeadLetter(payload=encode_event(event), position="journey:1", code="unstorable", reason="a test")
        source = await open_event_source(self._env["FAREBOX_EVENT_LOG"], group="journey", metrics=Metrics())
        await source.write_dead_letters([dead_letter])
        await source.close()

    def refused_to_start(self, *command: str) -> None:
        """What would start a second Farebox on the same folder says that it is in use, and touches nothing."""
        reported = self.start(*command, "--data", str(self._data), code=1)
        assert "is in use by another Farebox" in reported

    def all_is_as_it_was_given(self) -> None:
        """What the commands did holds after a restart too."""
        assert self.call(self.good_key) == 200
        assert self.call(self.revoked_key) == 401
        assert self._prices_in_force() == [self.kept_price]
        listed = json.loads(self.request("prices", "list", "--json"))
        assert {row["row_id"] for row in listed if row["model"] == MODEL} == {self.kept_price, self.ended_price}
        assert self._story.ask("/v1/request/count/query", {"filter": "all"}, key=self.good_key)[0] in (200, 201)
        self._story.rows([PUT_BACK_ID])

    def call(self, key: str, within_s: float = 20) -> int:
        """The status of a plain call with `key`; one that the store cannot respond to for is made again."""
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
            with urllib.request.urlopen(request, timeout=30) as response:
                return int(response.status)
        except urllib.error.HTTPError as refusal:
            return refusal.code

    def _prices_in_force(self) -> list[str]:
        rows = json.loads(self.request("prices", "list", "--json"))
        return [row["row_id"] for row in rows if row["model"] == MODEL and row["valid_until"] is None]

    @property
    def _state(self) -> tuple[str, ...]:
        return ("--organization", self._organization, "--data", str(self._data))


# In this order: what is made first is listed and ended later.
EVERYWHERE: Mapping[str, Callable[[Operator], None]] = {
    "keys create": Operator.create_keys,
    "keys list": Operator.list_keys,
    "keys import": Operator.import_keys,
    "keys rotate": Operator.rotate_key,
    "keys revoke": Operator.revoke_key,
    "alerts create": Operator.create_alert,
    "alerts list": Operator.list_alerts,
    "alerts show": Operator.show_alert,
    "alerts explain": Operator.explain_alert,
    "alerts history": Operator.show_alert_history,
    "alerts change": Operator.change_alert,
    "alerts mute": Operator.mute_alert,
    "alerts delete": Operator.delete_alert,
    "budgets create": Operator.create_budget,
    "budgets list": Operator.list_budgets,
    "budgets show": Operator.show_budget,
    "budgets change": Operator.change_budget,
    "budgets history": Operator.show_budget_history,
    "budgets spend": Operator.show_spend,
    "budgets override": Operator.override_budget,
    "budgets remove": Operator.remove_budget,
    "upstreams add": Operator.add_upstream,
    "upstreams key": Operator.replace_provider_key,
    "upstreams list": Operator.list_upstreams,
    "upstreams remove": Operator.remove_upstream,
    "channels add": Operator.add_channel,
    "channels list": Operator.list_channels,
    "channels change": Operator.change_channel,
    "channels test": Operator.try_channel,
    "channels log": Operator.show_deliveries,
    "reports create": Operator.create_report,
    "reports list": Operator.list_reports,
    "reports show": Operator.show_report,
    "reports change": Operator.change_report,
    "reports preview": Operator.preview_report,
    "reports send": Operator.send_report,
    "reports delete": Operator.delete_report,
    "channels remove": Operator.remove_channel,
    "prices add": Operator.add_prices,
    "prices list": Operator.list_prices,
    "prices show": Operator.show_price,
    "prices end": Operator.end_price,
    "reprice": Operator.reprice,
    "report": Operator.report,
    "savings": Operator.savings,
    "anomalies": Operator.anomalies,
    "distribution": Operator.distribution,
    "export": Operator.export,
    "value import": Operator.import_value,
    "value list": Operator.list_value,
    "value delete": Operator.delete_value,
    "settings": Operator.settings,
    "doctor": Operator.doctor,
    "dead-letters": Operator.dead_letters,
    "erase": Operator.erase_user,
    "journal salvage": Operator.salvage,
    "cache clear": Operator.clear_cache,
    "alerts backtest": Operator.backtest_alert,
}

# These start a Farebox of their own in a folder, which a scaled-out one does not have.
EMBEDDED_ONLY: Mapping[str, Callable[[Operator], None]] = {
    "up": lambda operator: operator.refused_to_start("up"),
    "demo": lambda operator: operator.refused_to_start("demo", "--exit"),
}
