"""`farebox demo`: a simulated provider, real SDK traffic through the proxy, four weeks of history, and what it cost."""

import shlex
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.text import Text

from services.cli.client import QueryApi
from services.cli.demo.alerts import add_alerts
from services.cli.demo.budgets import add_budgets
from services.cli.demo.history import archive_import, history
from services.cli.demo.traffic import Application
from services.cli.report.summary import SealedSummary, compile_report, fetch_summary
from services.cli.terminal import sanitize
from services.cli.up import show_running
from services.domain.providers.catalog import ROUTED
from services.embedded.data_folder import ORGANIZATION, DataFolder
from services.embedded.run import Running, serve
from services.settings.environment import PREFIX
from services.settings.otlp import STANDARD_OTLP
from services.simulator.server import SimulatedProvider

HISTORY_DAYS = 28
ROUNDS = 30  # of a dozen calls each

# Settings by which something leaves the machine; the alerts of the demo tell addresses that are somebody's.
_WAYS_OUT = ("smtp_url", "slack_token", "heartbeat_url", *STANDARD_OTLP)

_CHUNK = 500
_POLL_S = 0.1

_DOCTOR = "farebox doctor --url {query_url} --proxy {proxy_url} --data {folder}"

_TO_TRY = """
So that the commands of the README work here too:

{unset}export PATH={bin}:"$PATH"
export FAREBOX_KEY=$(cat {key_file}) HELICONE_API_KEY=$(cat {key_file})
export OPENAI_API_KEY=any ANTHROPIC_API_KEY=any

`farebox keys` and `farebox dead-letters` also need --data {folder}

Query what premium users cost, as the guide does:

curl -s {query_url}/v1/request/query-clickhouse \\
  -H "Authorization: Bearer $(cat {key_file})" -H 'Content-Type: application/json' \\
  -d '{{"filter": {{"request_response_rmt": {{"request_created_at": {{"gte": "2024-01-01T00:00:00Z"}}, \
"properties": {{"UserTier": {{"equals": "premium"}}}}}}}}, "limit": 3}}'

Make a call of your own, and see it in the next report:

{python} - <<'END'
from openai import OpenAI
client = OpenAI(
    base_url="{proxy_url}/oai/v1",
    api_key="sk-simulated",
    default_headers={{"Helicone-Auth": "Bearer " + open({key_path!r}).read().strip()}},
)
response = client.chat.completions.create(
    model="gpt-4o-mini",
    messages=[{{"role": "user", "content": "Hello!"}}],
    extra_headers={{"Helicone-User-Id": "user-123", "Helicone-Property-Feature": "chat",
                   "Helicone-Property-Environment": "production"}},
)
print(response.choices[0].message.content, response.usage)
END

farebox report --since 28d --url {query_url} --data {folder}

See what could not be priced, and what to do about it:

{doctor}
"""


def run_demo(
    folder: DataFolder, environ: Mapping[str, str], console: Console, *, started_at: float, then_stop: bool
) -> None:
    """Runs until a signal comes, or until the report is printed when `then_stop`. Raises: FareboxError."""

    def show(running: Running) -> None:
        console.print(Text(f"The providers are simulated, at {provider.url}: nothing leaves this machine.\n"))
        _play(running, console)
        _show_results(running, folder, console, [name for name in folder.stores if name in environ])
        took = Text(f"\nAll of this took {time.time() - started_at:.0f} seconds.", style="bold")
        to_see = f" Ctrl-C stops Farebox.\n\nSee it at {running.query_url}/dashboard/ with the key in {folder.key_file}"
        console.print(took if then_stop else took.append(to_see, style="not bold"), soft_wrap=True)
        if then_stop:
            running.stop()

    with SimulatedProvider(seed=1, error_share=0.03, latency_scale=0.25) as provider:
        serve(folder, demo_environ(environ, folder, provider.url), show)


def demo_environ(environ: Mapping[str, str], folder: DataFolder, provider_url: str) -> dict[str, str]:
    """`environ` with all providers at `provider_url`, and all stores in `folder`: made-up spend is for no real ledger.

    Without whatever would let mail or telemetry out.
    """
    ours = [f"{PREFIX}{setting.upper()}" for setting in _WAYS_OUT]
    standard = [name for known in STANDARD_OTLP.values() for name in (known, known.lower())]
    simulated = {f"{PREFIX}{routed.setting.upper()}": provider_url for routed in ROUTED}
    silent = dict.fromkeys([*ours, *standard], "") | {f"{PREFIX}LOG_LEVEL": "warning"}
    return dict(environ) | folder.stores | {f"{PREFIX}LIMITS_URL": "memory"} | simulated | silent


def _play(running: Running, console: Console) -> None:
    """Fills the event log, and waits until all of it is in the warehouse."""
    # While nothing is there, trying them on the past costs nothing.
    add_alerts(QueryApi(running.query_url, running.key))
    now = datetime.now(UTC)
    events = [*history(ORGANIZATION, until=now, days=HISTORY_DAYS), *archive_import(ORGANIZATION, until=now)]
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeElapsedColumn(), console=console) as progress:
        past = progress.add_task("Four weeks of history, into the event log", total=len(events))
        for start in range(0, len(events), _CHUNK):
            running.publish(events[start : start + _CHUNK])
            progress.advance(past, len(events[start : start + _CHUNK]))
        add_budgets(QueryApi(running.query_url, running.key))
        calls = progress.add_task("Calls through the proxy, by the SDKs", total=None)
        Application(proxy_url=running.proxy_url, key=running.key).run(
            ROUNDS, lambda done, total: progress.update(calls, completed=done, total=total)
        )
        rows = progress.add_task("Events that the worker has counted", total=len(events))
        # The last events are durable some milliseconds after their responses.
        time.sleep(_POLL_S)
        while waiting := running.backlog():
            progress.update(rows, completed=len(events) - min(waiting, len(events)))
            time.sleep(_POLL_S)
        progress.update(rows, completed=len(events))


def _show_results(running: Running, folder: DataFolder, console: Console, elsewhere: Sequence[str]) -> None:
    """`elsewhere`: settings by which commands in the same shell would look at other stores than the demo's."""
    summary = fetch_summary(QueryApi(running.query_url, running.key), {"since": "7d"})
    path, key_file = shlex.quote(str(folder.path)), shlex.quote(str(folder.key_file))
    doctor = _DOCTOR.format(query_url=running.query_url, proxy_url=running.proxy_url, folder=path)
    compile_report(sanitize(SealedSummary, summary), console, doctor=doctor)
    console.print()
    show_running(running, folder, console, beside=" with the SDKs and the simulated providers")
    text = _TO_TRY.format(
        unset=f"unset {' '.join(elsewhere)}\n" if elsewhere else "",
        query_url=running.query_url,
        proxy_url=running.proxy_url,
        key_path=str(folder.key_file),
        key_file=key_file,
        folder=path,
        doctor=doctor,
        python=sys.executable,
        bin=shlex.quote(str(Path(sys.executable).parent)),
    )
    console.print(Text(text), soft_wrap=True)
