"""`farebox doctor`: what runs, what could not be priced, and what to do about both."""

import shlex
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from rich.console import Console
from rich.text import Text

from schemas.api.disputes import DisputedCosts, DisputedModel
from schemas.api.reprices import UnknownModel, UnknownModels
from schemas.api.seal import SealView
from services.cli.probes import Part
from services.cli.report.seal import seal_lines
from services.cli.report.summary import REASONS, UNNAMED, model_of
from services.cli.terminal import compile_lines, day, minute, pluralize, sanitize, usd
from services.domain.exchange.helicone_headers import nearest_known

_STATES: Final = {True: ("ok", "green"), False: ("down", "red"), None: ("unknown", "yellow")}
_SHOWN: Final = 20  # models; the endpoint has all

_BILLED: Final = "the provider's own bill, and so the cost"
_NOT_BILLED: Final = (
    "the cost is what we calculate: compare it with the invoice; a price of your own corrects it (farebox prices add)"
)

_TO_TYPE: Final = (
    "farebox prices add {model_typed}{provider_typed} --input USD --output USD --cached USD --from {since}",
    "farebox reprice --model {model_typed}{provider_typed} --since {since} --dry-run",
)


def compile_findings(
    parts: Sequence[Part], unknown: UnknownModels | None, console: Console, *, disputed: DisputedCosts | None = None
) -> bool:
    """Prints them; whether all is well. `unknown` and `disputed` are None when the query service is unavailable."""
    compile_lines(_lines(parts, unknown), console)
    if disputed is not None:
        compile_lines(_disputes(disputed), console)
    is_running = all(part.ok and not part.alarms for part in parts)
    is_doubted = disputed is not None and any(not one.is_bill for one in disputed.models)
    return is_running and not is_doubted and unknown is not None and not unknown.unpriced_requests


def _lines(parts: Sequence[Part], unknown: UnknownModels | None) -> Iterator[Text]:
    yield Text("What runs", style="bold")
    yield from _parts(parts)
    for part in parts:
        if part.seal is not None:
            yield _heading("How complete totals are")
            yield from seal_lines(sanitize(SealView, part.seal))
    alarms = dict.fromkeys(alarm for part in parts for alarm in part.alarms)  # `farebox up` is several of them
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


def _disputes(disputed: DisputedCosts) -> Iterator[Text]:
    """Reported costs beside ours; nothing where no cost was reported."""
    if not disputed.compared_requests:
        return
    yield _heading(f"Reported costs beside those calculated, since {minute(disputed.start)} (UTC)")
    both = pluralize(disputed.compared_requests, "request")
    reported, calculated = usd(disputed.provider_cost_usd), usd(disputed.calculated_cost_usd)
    yield Text(f"  {both} with both: {reported} reported, {calculated} calculated.")
    if not disputed.disputed_requests:
        yield Text("  No reported cost contradicts ours.")
        return
    yield Text(f"  {disputed.disputed_requests:,} of them contradict each other:")
    for one in disputed.models[:_SHOWN]:
        yield Text(f"    {one.model or UNNAMED} ({one.provider}): {_dispute(one)}")
        yield Text(
            f"        {_BILLED if one.is_bill else _NOT_BILLED}; such as {one.example_request_ids[0]}", style="dim"
        )
    if len(disputed.models) > _SHOWN or disputed.truncated:
        yield Text("    And more: `GET /v1/prices/disputed` lists them.")


def _dispute(one: DisputedModel) -> str:
    reported, calculated = usd(one.provider_cost_usd), usd(one.calculated_cost_usd)
    return f"{pluralize(one.requests, 'request')}, {reported} reported, {calculated} calculated"


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
