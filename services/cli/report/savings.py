"""`farebox savings`: what could be saved, the biggest first."""

import re
from functools import partial
from typing import Annotated, Any, Final

import typer

from schemas.api.requests import UTC_NAME
from schemas.errors import InvalidRequest
from services.cli.client import QueryApi
from services.cli.options import (
    DATA,
    AsJson,
    Data,
    End,
    Filters,
    Key,
    Month,
    Names,
    PeriodZone,
    Since,
    Start,
    Url,
    errors_in_one_line,
    query_api,
    show,
    warn,
)
from services.cli.report.options import filter_given, groupings, names_given, period_given
from services.cli.report.savings_lines import Savings, savings_lines
from services.cli.terminal import compile_lines, sanitize
from services.query.time_zone import zone_of

_PATHS: Final = {"repeats": "repeats", "prompt_cache": "prompt-cache", "what_if": "what-if"}
_TIERS: Final = ("batch", "flex")
_GROUPS: Final = 10
_ALL_GROUPS: Final = 1000  # of the endpoints: for files
_AGE: Final = re.compile(r"([0-9]{1,6})([smhdw])", re.ASCII)
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


def savings(
    since: Since = "",
    month: Month = "",
    start: Start = "",
    end: End = "",
    zone: PeriodZone = UTC_NAME,
    by: Annotated[
        Names, typer.Option(metavar="NAMES", help="Whose savings: properties, columns: Feature,user_id ...")
    ] = None,
    filters: Filters = None,
    max_age: Annotated[str, typer.Option(help="How long a response cache would serve a response: 60s, 1h, 7d.")] = "7d",
    models: Annotated[
        Names,
        typer.Option("--model", metavar="NAMES", help="At whose price: gpt-4o-mini, or groq/MODEL of one provider."),
    ] = None,
    as_data: AsJson = False,
    url: Url = "",
    key: Key = "",
    data: Data = DATA,
) -> None:
    """Print what could be saved, the biggest first.

    What a response cache would have saved of repeated prompts, what broken prompt caches of providers cost, and what
    the same usage would have cost in batches, at the flex tier, and at other models' prices.
    """
    with errors_in_one_line():
        times, clock = period_given(month=month, since=since, start=start, end=end), zone_of(zone, "--zone")
        names = names_given(by or [])
        common = {
            "by": groupings(names),
            "filter": filter_given(filters or []),
            "timeFilter": times,
            "timeZone": zone,
            "limit": _ALL_GROUPS if as_data else _GROUPS,
        }
        own: dict[str, dict[str, Any]] = {
            "repeats": {"maxAgeS": _seconds(max_age)},
            "prompt_cache": {},
            "what_if": {"alternatives": _alternatives(names_given(models or []))},
        }
        found = _fetch(query_api(url, key, data), common, own)
        layout = partial(savings_lines, by=names, max_age=max_age, zone=clock)
        show(found, lambda to: compile_lines(layout(sanitize(Savings, found), width=to.width), to), as_data=as_data)


def _fetch(api: QueryApi, common: dict[str, Any], own: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """All three, with the seal of the first: what is read after it is never older. Warns of names, once each."""
    whole = {name: api.post_whole(f"/v1/savings/{path}", common | own[name]) for name, path in _PATHS.items()}
    warn(dict.fromkeys(warning["message"] for one in whole.values() for warning in one["warnings"]))
    return {name: one["data"] for name, one in whole.items()} | {"seal": whole["repeats"]["seal"]}


def _seconds(text: str) -> int:
    match = _AGE.fullmatch(text)
    if match is None:
        raise InvalidRequest(f"--max-age takes a number and s, m, h, d or w, such as 7d, not {text!r}")
    return int(match[1]) * _SECONDS[match[2]]


def _alternatives(models: list[str]) -> list[dict[str, str]]:
    """The cheaper tiers of each request's own model, and these models at their standard tier."""
    tiers = [{"serviceTier": tier} for tier in _TIERS]
    return [*tiers, *(_model(name) for name in models)]


def _model(name: str) -> dict[str, str]:
    provider, _, model = name.partition("/")
    return {"provider": provider, "model": model} if model else {"model": name}
