"""`farebox doctor` and `farebox reprice`: what an operator types to find what is not priced, and to charge again."""

import os
import sys
from typing import Annotated
from uuid import UUID

import typer

from schemas.api.disputes import DisputedCosts
from schemas.api.reprices import RepriceView, UnknownModels
from schemas.api.requests import UTC_NAME
from schemas.errors import InvalidRequest
from services.cli.client import NoResponse
from services.cli.doctor import compile_findings
from services.cli.options import DATA, AsJson, Data, Key, Url, Zone, errors_in_one_line, query_api, show
from services.cli.probes import Part, counting_part, query_part, worker_inside
from services.cli.reprice.render import compile_run, followed, listed_runs
from services.cli.terminal import compile_lines, console, sanitize
from services.embedded.sockets import web_address
from services.settings.processes import ProxySettings, WorkerSettings


def doctor(
    since: Annotated[str, typer.Option(help="How far back: 90m, 24h, 7d, 4w.")] = "7d",
    proxy: Annotated[str, typer.Option(help="The proxy. Default: where the settings have it.")] = "",
    worker: Annotated[str, typer.Option(help="A worker. Default: where the settings have it.")] = "",
    url: Url = "",
    key: Key = "",
    data: Data = DATA,
) -> None:
    """Show what runs, what could not be priced, and what to do. Exits with 1 when somebody should do something."""
    with errors_in_one_line():
        api = query_api(url, key, data)
        query = query_part(api.url)
        through = counting_part("proxy", proxy or _proxy_url())
        parts = [query, through, _worker(worker, through)]
        unknown = disputed = refusal = None
        try:
            if query.ok:
                unknown = sanitize(UnknownModels, api.get("/v1/prices/unknown", {"since": since}))
                disputed = sanitize(DisputedCosts, api.get("/v1/prices/disputed", {"since": since}))
        except NoResponse as error:
            refusal = error
        well = compile_findings(parts, unknown, console(), disputed=disputed)
        if refusal is not None:
            raise refusal
        if not well:
            sys.exit(1)


def reprice(
    model: Annotated[str, typer.Option(metavar="PATTERN", help="As billed; each * stands for any text.")] = "",
    since: Annotated[str, typer.Option(help="How far back: 24h, 7d, 4w; or a timestamp, ISO 8601.")] = "",
    until: Annotated[str | None, typer.Option(metavar="TIMESTAMP", help="ISO 8601. Default: now.")] = None,
    zone: Zone = UTC_NAME,
    provider: Annotated[str, typer.Option(help="As requests show it. Default: any.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would change, and change nothing.")] = False,
    undo: Annotated[str, typer.Option(metavar="ID", help="Put back what a run changed.")] = "",
    listed: Annotated[bool, typer.Option("--list", help="List the runs there were.")] = False,
    as_data: AsJson = False,
    url: Url = "",
    key: Key = "",
    data: Data = DATA,
) -> None:
    """Charge requests again at the prices known now. Shows what changes; can be undone."""
    with errors_in_one_line():
        body = {"model": model, "provider": provider, "since": since, "until": until, "dry_run": dry_run}
        if sum(map(bool, (listed, undo, any(body.values())))) != 1 or not (listed or undo or (model and since)):
            raise InvalidRequest("pass --model and --since, or --undo ID, or --list")
        api = query_api(url, key, data)
        if listed:
            runs = api.get("/v1/reprice")
            lines = listed_runs(sanitize(RepriceView, run) for run in runs)
            show(runs, lambda console: compile_lines(lines, console), as_data=as_data)
            return
        run = (
            api.post(f"/v1/reprice/{_run_id(undo)}/undo", {})
            if undo
            else api.post("/v1/reprice", body | {"time_zone": zone})
        )
        run = followed(api, run, console(stderr=True))
        show(run, lambda console: compile_run(sanitize(RepriceView, run), console), as_data=as_data)


def _run_id(undo: str) -> UUID:
    """Raises: InvalidRequest."""
    try:
        return UUID(undo)
    except ValueError:
        raise InvalidRequest(f"--undo: {undo!r} is not the id of a run; `farebox reprice --list` shows them") from None


def _proxy_url() -> str:
    settings = ProxySettings.from_environ(os.environ)
    return web_address(settings.proxy_host, settings.proxy_port)


def _worker(url: str, proxy: Part) -> Part:
    """The one that `url` names; else one where the settings have it, or inside the proxy's process."""
    if url:
        return counting_part("worker", url)
    settings = WorkerSettings.from_environ(os.environ)
    address = web_address(settings.worker_host, settings.worker_port)
    found = counting_part("worker", address)
    return found if found.counts else worker_inside(proxy, address)
