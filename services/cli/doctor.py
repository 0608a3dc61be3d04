"""`farebox doctor`: what runs, what could not be priced, and what to do about both."""

import shlex
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from rich.console import Console
from rich.text import Text

from schemas.api.reprices import UnknownModel, UnknownModels
from services.cli.probes import Part
from services.cli.report import REASONS, model_of
from services.cli.terminal import compile_lines, day, minute, pluralize
from services.domain.exchange.helicone_headers import nearest_known

_STATES: Final = {True: ("ok", "green"), False: ("down", "red"), None: ("unknown", "yellow")}
_SHOWN: Final = 20  # models; the endpoint has all

_TO_TYPE: Final = (
    "farebox prices add {model_typed}{provider_typed} --input USD --output USD --cached USD --from {since}",
    "farebox reprice --model {model_typed}{provider_typed} --since {since} --dry-run",
)


def compile_findings(parts: Sequence[Part], unknown: UnknownModels | None, console: Console) -> bool:
    """Prints them; whether all is well. `unknown` is None when the query service is unavailable."""
    compile_lines(_lines(parts, unknown), console)
    return all(part.ok and not part.alarms for part in parts) and unknown is not None and not unknown.unpriced_requests


def _lines(parts: Sequence[Part], unknown: UnknownModels | None) -> Iterator[Text]:
    yield Text("What runs", style="bold")
    yield from _parts(parts)
    alarms = [alarm for part in parts for alarm in part.alarms]
    if alarms:
        yield _heading("What went wrong since it was started")
        yield from (Text(f"  {alarm}.", style="yellow") for alarm in alarms)
    yield from _headers(parts)
    if unknown is None:
        return
    yield _heading(f"What could not be priced since {minute(unknown.start)} (UTC)")
    if not unknown.requests:
        yield Text("  No requests came in since then.")
        return
    if not unknown.unpriced_requests:
        yield Text(f"  Nothing: {pluralize(unknown.requests, 'request')}, and each has a known cost.")
        return
    yield Text(f"  {unknown.unpriced_requests:,} of {pluralize(unknown.requests, 'request')}; they are in no total.")
    yield from _models(unknown.models[:_SHOWN])
    if len(unknown.models) > _SHOWN or unknown.truncated:
        yield Text("    And more: `GET /v1/prices/unknown` lists them.")
    yield _heading("What to do")
    yield from _advice(unknown.models[:_SHOWN])


def _heading(text: str) -> Text:
    return Text(f"\n{text}", style="bold")


def _parts(parts: Iterable[Part]) -> Iterator[Text]:
    for part in parts:
        state, style = _STATES[part.ok]
        yield Text.assemble(f"  {part.name:<6}  ", (f"{state:<7}", style), f"  {part.detail}")


def _headers(parts: Iterable[Part]) -> Iterator[Text]:
    """Headers that were passed over because they have no meaning: most of them are misspelled."""
    counts = [one for part in parts for one in part.unknown_headers.items()]
    if not counts:
        return
    yield _heading("Headers that were passed over, since nothing here knows them")
    for name, count in sorted(counts, key=lambda one: (-one[1], one[0])):
        meant = nearest_known(name)
        yield Text(f"  {name}: {pluralize(count, 'request')}{f'; {meant} was probably meant' if meant else ''}")


def _models(models: Iterable[UnknownModel]) -> Iterator[Text]:
    for one in models:
        seen = f"{day(one.first_seen_at)} to {day(one.last_seen_at)}"
        yield Text(f"    {model_of(one)}: {pluralize(one.requests, 'request')}, {_tokens(one)}, {seen}")
        example = f"; such as {one.example_request_ids[0]}" if one.example_request_ids else ""
        yield Text(f"        {REASONS.get(one.reason, one.reason)}{example}", style="dim")


def _tokens(one: UnknownModel) -> str:
    if one.prompt_tokens is None or one.completion_tokens is None:
        return "tokens unknown"
    return f"{one.prompt_tokens:,} + {one.completion_tokens:,} tokens"


def _advice(models: Iterable[UnknownModel]) -> Iterator[Text]:
    for one in models:
        values = {
            "model_typed": shlex.quote(one.model),
            "provider_typed": f" --provider {shlex.quote(one.provider)}" if one.provider else "",
            "since": f"{one.first_seen_at:%Y-%m-%dT%H:%M:%SZ}",
        }
        yield Text(f"  {model_of(one)}: {one.advice}")
        if one.price_helps:
            yield from (Text(f"      {command.format(**values)}", no_wrap=True) for command in _TO_TYPE)
