"""`farebox doctor` and `farebox reprice`, as an operator types them, and what is shown then."""

import asyncio
import contextlib
import json
import re
import subprocess
import threading
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from schemas.price import CostState
from schemas.usage import UsageSource
from services.health_page import serve_health
from services.telemetry.metrics import Metrics
from tests.servers.processes import free_port
from tests.servers.querying import Client
from tests.support.command_line import farebox

UNKNOWN = {"model": "acme 7b", "cost_usd": None, "cost_state": CostState.UNKNOWN_MODEL, "price_id": ""}
RUN = "00000000-0000-4000-8000-000000000000"
MISSING = {"cost_usd": None, "cost_state": CostState.NO_USAGE, "usage_source": UsageSource.NONE}


@contextlib.contextmanager
def counting(metrics: Metrics) -> Iterator[str]:
    """The address of the pages that a proxy and a worker have, with these counters."""
    loop, port = asyncio.new_event_loop(), free_port()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    server = asyncio.run_coroutine_threadsafe(serve_health(metrics, host="127.0.0.1", port=port), loop).result()
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        loop.call_soon_threadsafe(server.close)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def typed(admin: Client, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    url = f"http://127.0.0.1:{admin.service.port}"
    return farebox(*arguments, FAREBOX_URL=url, FAREBOX_KEY=admin.key, **environ)


def doctor(admin: Client, *arguments: str, metrics: Metrics | None = None) -> subprocess.CompletedProcess[str]:
    with counting(metrics or Metrics()) as url:
        return typed(admin, "doctor", "--proxy", url, "--worker", url, *arguments)


def test_a_system_that_is_well_is_said_to_be(admin: Client) -> None:
    admin.keep({}, {})
    reported = doctor(admin)
    assert reported.returncode == 0, reported
    assert re.findall(r"^  (\w+) +(\w+) +http", reported.stdout, re.MULTILINE) == [
        ("query", "ok"), ("proxy", "ok"), ("worker", "ok"),
    ]  # fmt: skip
    assert "Nothing: 2 requests, and each has a known cost." in reported.stdout
    assert "What to do" not in reported.stdout


def test_what_is_not_priced_is_reported_with_the_commands_that_price_it(admin: Client) -> None:
    ids = admin.keep({}, UNKNOWN, UNKNOWN, MISSING, UNKNOWN | {"model": "half", "cost_state": CostState.PARTIAL})
    reported = doctor(admin)
    assert reported.returncode == 1
    assert "4 of 5 requests; they are in no total." in reported.stdout
    assert "acme 7b (OPENAI): 2 requests, 2,000 + 400 tokens, 1 Nov 2026 to 1 Nov 2026\n" in reported.stdout
    assert f"no price is known for this model; such as {ids[2]}\n" in reported.stdout
    assert f"`GET /v1/request/{ids[4]}/cost`" in " ".join(reported.stdout.split())
    typed_next = [line.strip() for line in reported.stdout.splitlines() if line.startswith("      farebox")]
    since = "2026-11-01T12:00:01Z"
    assert typed_next[:2] == [
        f"farebox prices add 'acme 7b' --provider OPENAI --input USD --output USD --cached USD --from {since}",
        f"farebox reprice --model 'acme 7b' --provider OPENAI --since {since} --dry-run",
    ]
    assert not any("gpt-4o-mini" in line for line in typed_next)


def test_what_the_doctor_says_to_type_prices_what_was_not_priced(admin: Client) -> None:
    admin.keep(UNKNOWN, UNKNOWN | {"provider": "ANTHROPIC"})
    reported = doctor(admin)
    for line in reported.stdout.splitlines():
        if line.startswith("      farebox"):
            words = [word.strip("'") for word in re.findall(r"'[^']*'|\S+", line.replace("USD", "1"))]
            done = typed(admin, *(word for word in words[1:] if word != "--dry-run"))
            assert done.returncode == 0, done
    assert doctor(admin).returncode == 0, "all that was used has a price"


def test_a_time_without_requests_is_not_called_priced(admin: Client) -> None:
    reported = doctor(admin)
    assert "No requests came in since then.\n" in reported.stdout
    assert (reported.returncode, "each has a known cost" in reported.stdout) == (0, False)


def test_counters_that_tell_of_lost_spend_are_alarms(admin: Client) -> None:
    metrics = Metrics()
    metrics.add("log_lost_total", 3)
    metrics.add("proxy_unauthenticated_passthrough_total", 4000)
    reported = doctor(admin, metrics=metrics)
    assert reported.returncode == 1
    assert "3 events could not be kept" in reported.stdout
    assert "4,000 requests passed without a valid key" in reported.stdout
    assert "became no rows" not in reported.stdout


def test_refused_logs_are_no_alarm(admin: Client) -> None:
    metrics = Metrics()
    metrics.add("worker_dead_letters_total", 3)
    metrics.add("worker_log_conflicts_total", 3)
    assert "became no rows" not in doctor(admin, metrics=metrics).stdout
    metrics.add("worker_dead_letters_total", 1)
    assert "1 events became no rows" in doctor(admin, metrics=metrics).stdout


def test_a_part_that_does_not_work_still_shows_what_it_lost(admin: Client) -> None:
    metrics = Metrics()
    metrics.health.failures["log"] = "no space left"
    metrics.health.warnings["journal"] = lambda: ["journal.sqlite is damaged"]
    metrics.worker_inside = True
    metrics.add("log_lost_total", 3)
    metrics.add_unknown_header("helicone-usr-id")
    with counting(metrics) as url:
        proxy = typed(admin, "doctor", "--proxy", url, FAREBOX_WORKER_PORT=str(free_port())).stdout
        worker = typed(admin, "doctor", "--proxy", url, FAREBOX_WORKER_PORT=url.rpartition(":")[2]).stdout
    assert re.findall(r"^  (\w+) +(ok|down|unknown)", proxy, re.MULTILINE)[1:] == [
        ("proxy", "down"),
        ("worker", "unknown"),
    ]
    assert "not all of it works: no space left" in proxy
    assert "inside `farebox up`" in proxy
    assert "1 warnings" in proxy
    assert "3 events could not be kept" in proxy
    assert "helicone-usr-id" in proxy
    assert worker.count("not all of it works: no space left") == 2


def test_parts_that_are_down_are_named(admin: Client) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}"
    reported = typed(admin, "doctor", "--proxy", nowhere, "--worker", nowhere)
    assert reported.returncode == 1
    assert re.findall(r"^  (\w+) +(ok|down)", reported.stdout, re.MULTILINE) == [
        ("query", "ok"), ("proxy", "down"), ("worker", "down"),
    ]  # fmt: skip
    assert f"nothing responds at {nowhere}" in reported.stdout


def test_a_worker_is_ok_only_where_something_says_that_it_counts(admin: Client) -> None:
    metrics, port = Metrics(), free_port()
    with counting(metrics) as url:
        alone = typed(admin, "doctor", "--proxy", url, FAREBOX_WORKER_PORT=str(port))
        metrics.worker_inside = True
        together = typed(admin, "doctor", "--proxy", url, FAREBOX_WORKER_PORT=str(port))
    assert f"  worker  unknown  nothing responds at http://127.0.0.1:{port}\n" in alone.stdout
    assert f"  worker  ok       inside `farebox up`, {url}\n" in together.stdout
    assert (alone.returncode, together.returncode) == (1, 0)


def test_without_a_query_service_the_rest_is_still_reported() -> None:
    nowhere = f"http://127.0.0.1:{free_port()}"
    with counting(Metrics()) as url:
        reported = farebox("doctor", "--proxy", url, "--url", nowhere, "--key", "x")
    assert reported.returncode == 1
    assert re.findall(r"^  (\w+) +(ok|down)", reported.stdout, re.MULTILINE)[:2] == [("query", "down"), ("proxy", "ok")]
    assert "Traceback" not in reported.stderr


def test_a_page_that_is_not_the_proxys_is_distinguished_from_it(admin: Client) -> None:
    with counting(Metrics()) as url:
        reported = typed(admin, "doctor", "--proxy", f"http://127.0.0.1:{admin.service.port}", "--worker", url)
    assert reported.returncode == 1
    assert "is not Farebox's proxy" in reported.stdout


def test_a_wrong_key_is_reported_after_what_runs(admin: Client) -> None:
    reported = doctor(admin, "--key", "sk-wrong")
    assert (reported.returncode, "query" in reported.stdout, "key was refused" in reported.stderr) == (1, True, True)


def add_price(admin: Client, model: str, usd: str) -> None:
    cached = ("--cached", usd, "--output", usd, "--from", "2026-01-01")
    done = typed(admin, "prices", "add", model, "--input", usd, *cached)
    assert done.returncode == 0, done


def test_a_dry_run_shows_the_difference_by_model_and_day(admin: Client) -> None:
    admin.keep(UNKNOWN, UNKNOWN, {}, {"cost_usd": Decimal("0.5")})
    add_price(admin, "*", "5")
    reported = typed(admin, "reprice", "--model", "*", "--since", "2026-10-01", "--dry-run")
    assert reported.returncode == 0, reported
    assert "4 requests, all models, from 1 Oct 2026 00:00 to" in reported.stdout
    lines = [" ".join(line.split()) for line in reported.stdout.splitlines()]
    table = lines[lines.index("Before After Difference Changed Requests priced Tokens priced") + 1 :]
    assert table[:8] == [
        "acme 7b",
        "1 Nov 2026 unknown $0.01 +$0.01 2 of 2 0% → 100% 0% → 100%",
        "gpt-4o-mini-2024-07-18",
        "1 Nov 2026 $0.50 $0.01 -$0.49 2 of 2 100% → 100% 100% → 100%",
        "Total $0.50 $0.02 -$0.48 4 of 4 50% → 100% 50% → 100%",
        "Priced before: 50% of requests, 50% of tokens",
        "Priced after: 100% of requests, 100% of tokens",
        "2 requests with a cost that was unknown before.",
    ]
    assert "Dry run: no changes made." in reported.stdout
    assert admin.summary()["total"]["unpriced_requests"] == 2


def test_costs_that_would_become_unknown_are_distinguished_from_savings(admin: Client) -> None:
    admin.keep({})
    done = typed(admin, "prices", "add", "gpt-4o*", "--input", "1", "--output", "1", "--from", "2026-01-01")
    assert done.returncode == 0, done
    reported = typed(admin, "reprice", "--model", "gpt-4o*", "--since", "2026-10-01", "--dry-run")
    assert "1 request without a known cost any more" in reported.stdout


def test_a_run_says_how_to_undo_it_and_that_undoes_it(admin: Client) -> None:
    admin.keep(UNKNOWN, {})
    add_price(admin, "acme*", "2")
    before = admin.page()
    run = ("reprice", "--model", "acme*", "--provider", "openai", "--since", "2026-10-01T00:00:00Z")
    reported = typed(admin, *run)
    assert reported.returncode == 0, reported
    (command,) = re.findall(r"farebox (reprice --undo [0-9a-f-]{36})", reported.stdout)
    assert admin.page() != before
    again = typed(admin, *run)
    assert "Nothing changes" in again.stdout
    undone = typed(admin, *command.split())
    assert (undone.returncode, "1 request put back to the cost before the run." in undone.stdout) == (0, True)
    assert _timeless(admin.page()) == _timeless(before)
    listed = typed(admin, "reprice", "--list").stdout
    assert [word in listed for word in ("undone", "done", "acme*")] == [True, True, True]


def _timeless(page: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [row | {"updated_at": None} for row in page]


def test_figures_are_printed_to_the_last_digit_as_json(admin: Client) -> None:
    admin.keep(UNKNOWN)
    add_price(admin, "acme*", "0.01")
    reported = typed(admin, "reprice", "--model", "acme*", "--since", "2026-10-01", "--dry-run", "--json")
    run = json.loads(reported.stdout, parse_float=Decimal)
    assert run["total"]["difference_usd"] == Decimal("0.000012")
    assert json.loads(typed(admin, "reprice", "--list", "--json").stdout)[0]["id"] == run["id"]


@pytest.mark.parametrize(
    ("arguments", "reported"),
    [
        ((), "--model and --since"),
        (("--model", "x"), "--model and --since"),
        (("--model", "x", "--since", "soon"), "'soon'"),
        (("--undo", "no-such-run"), "--undo: 'no-such-run' is not the id of a run"),
        (("--undo", RUN, "--list"), "--model and --since"),
        (("--undo", RUN, "--dry-run"), "--model and --since"),
        (("--undo", RUN, "--model", "*", "--since", "7d"), "--model and --since"),
        (("--list", "--model", "*", "--since", "7d"), "--model and --since"),
        (("--undo", RUN), "there is no re-pricing"),
    ],
    ids=str,
)
def test_what_cannot_be_done_is_reported_in_a_line(admin: Client, arguments: tuple[str, ...], reported: str) -> None:
    refused = typed(admin, "reprice", *arguments)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert reported in refused.stderr
    assert len(refused.stderr.splitlines()) == 1


def test_a_wrong_address_is_reported(tmp_path: Path) -> None:
    reported = farebox("reprice", "--list", "--url", f"http://127.0.0.1:{free_port()}", "--data", str(tmp_path))
    assert (reported.returncode, "farebox up" in reported.stderr) == (1, True)
