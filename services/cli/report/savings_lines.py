"""What could be saved, laid out for people in a terminal or a file."""

from collections.abc import Iterator, Sequence
from datetime import tzinfo
from decimal import Decimal
from typing import Any, Final

from rich.text import Text

from schemas.api.requests import View
from schemas.api.savings import (
    Alternative,
    CacheLossView,
    PromptCacheView,
    Repeated,
    RepeatsView,
    WhatIfFigures,
    WhatIfView,
)
from schemas.api.seal import SealView
from services.cli.report.seal import seal_lines
from services.cli.report.table import ABSENT
from services.cli.terminal import columns, minute, percent, pluralize, usd

_PROMPTS: Final = 5
_ZERO: Final = Decimal(0)


class Savings(View):
    """What is printed."""

    repeats: RepeatsView
    prompt_cache: PromptCacheView
    what_if: WhatIfView
    seal: SealView


def savings_lines(savings: Savings, *, by: Sequence[str], max_age: str, zone: tzinfo, width: int) -> Iterator[Text]:
    """A section for each kind of saving, in the order of what is certain to be saved; then what that assumes."""
    start, end = (minute(when.astimezone(zone)) for when in (savings.repeats.start, savings.repeats.end))
    spent = savings.repeats.period_cost_usd
    yield Text(f"\nSavings to be had from {start} to {end} ({zone}), of {usd(spent)}", style="bold")
    sections = [
        (savings.repeats.total.saved_usd or _ZERO, _repeats(savings.repeats, by, max_age, width)),
        (savings.prompt_cache.total.lost.certain_usd or _ZERO, _prompt_cache(savings.prompt_cache, by, width)),
        (max(one.saving.low_usd for one in savings.what_if.total), _what_if(savings.what_if, by, width)),
    ]
    for _, lines in sorted(sections, key=lambda section: section[0], reverse=True):
        yield from lines
    yield _heading("What these amounts take for granted")
    for view in (savings.repeats, savings.prompt_cache, savings.what_if):
        yield from (Text(f"  {text}", style="dim") for text in view.assumptions)
    yield Text("")
    yield from seal_lines(savings.seal)


def _heading(text: str) -> Text:
    return Text(f"\n{text}", style="bold")


def _repeats(view: RepeatsView, by: Sequence[str], max_age: str, width: int) -> Iterator[Text]:
    total = view.total
    yield _heading(f"Repeated prompts: {usd(total.saved_usd)}")
    if not total.requests:
        yield Text("  No prompt came more than once.")
        return
    unknown = f", not counting {pluralize(total.unpriced_hits, 'hit')} of unknown cost" if total.unpriced_hits else ""
    yield Text(
        f"  A response cache that serves for {max_age} would have served {total.hits:,} of "
        f"{pluralize(total.requests, 'request')} with a prompt that came again{unknown}."
    )
    rows = [(f"  {one.request_fingerprint}", *_repeated(one), ", ".join(one.models)) for one in view.prompts[:_PROMPTS]]
    yield from columns([("  Prompt", "Saved", "Hits", "Requests", "Model"), *rows], width)
    if by:
        groups = [(_name(row.by), *_repeated(row)) for row in view.rows]
        yield from columns([(f"  {', '.join(by)}", "Saved", "Hits", "Requests"), *groups], width)


def _repeated(one: Repeated) -> tuple[str, ...]:
    return usd(one.saved_usd), f"{one.hits:,}", f"{one.requests:,}"


def _prompt_cache(view: PromptCacheView, by: Sequence[str], width: int) -> Iterator[Text]:
    total = view.total
    yield _heading(f"Broken prompt caches of providers: {_between(total.lost.certain_usd, total.lost.likely_usd)}")
    if not total.requests:
        yield Text("  No prompt was long enough for a cache.")
        return
    share = percent(total.read_share) or "0%"
    yield Text(f"  {share} of the input of {pluralize(total.requests, 'request')} was read from a cache.")
    for name, loss in (
        ("Written and never read", total.unread_writes),
        ("Cached before, and paid in full again", total.repaid_input),
    ):
        yield Text(f"  {name}: {_between(loss.certain_usd, loss.likely_usd)}")
    if by:
        groups = [(_name(row.by), *_losses(row)) for row in view.rows]
        yield from columns([(f"  {', '.join(by)}", "Lost", "Read from cache"), *groups], width)


def _losses(one: CacheLossView) -> tuple[str, ...]:
    return _between(one.lost.certain_usd, one.lost.likely_usd), percent(one.read_share) or "0%"


def _what_if(view: WhatIfView, by: Sequence[str], width: int) -> Iterator[Text]:
    yield _heading("The same usage at other prices")
    rows = [(f"  {_named(one)}", *_figures(of)) for one, of in zip(view.alternatives, view.total, strict=True)]
    yield from columns([("", "Saved", "Of", "Requests", "Not comparable"), *rows], width)
    for row in view.rows if by else ():
        best = max(range(len(row.figures)), key=lambda place: row.figures[place].saving.low_usd)
        if row.figures[best].saving.low_usd > 0:
            saved = _figures(row.figures[best])[0]
            yield Text(f"  {_name(row.by).strip()}: {_named(view.alternatives[best])} saves {saved}")


def _figures(of: WhatIfFigures) -> tuple[str, ...]:
    if not of.requests:
        return "unknown", "", "0", f"{of.other_requests:,}"
    saved = _between(of.saving.low_usd, of.saving.high_usd)
    return saved, usd(of.cost_usd), f"{of.requests:,}", f"{of.other_requests:,}"


def _named(one: Alternative) -> str:
    whose = "/".join(filter(None, (one.provider, one.model)))
    tier = f"tier {one.service_tier}" if one.service_tier else ""
    return ", ".join(filter(None, (whose, tier))) or "standard tier"


def _between(low: Decimal | None, high: Decimal | None) -> str:
    texts = [usd(low), usd(high)]
    return texts[0] if texts[0] == texts[1] else " to ".join(texts)


def _name(by: Sequence[Any]) -> str:
    return "  " + ", ".join(ABSENT if value is None else str(value) for value in by)
