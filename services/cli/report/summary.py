"""The cost report: from the query service, and laid out for people in a terminal or a file."""

from collections.abc import Iterator, Mapping
from datetime import UTC, tzinfo
from typing import Any, Final

from rich.console import Console
from rich.text import Text

from schemas.api.reports import Spend, Summary, Unpriced
from schemas.api.reprices import CoverageView, UnknownModel
from schemas.api.seal import SealView
from schemas.price import CostState
from services.cli.client import QueryApi
from services.cli.report.seal import seal_lines
from services.cli.terminal import columns, compile_lines, minute, percent, pluralize, usd

UNNAMED: Final = "(no model named)"
_COVERAGE_HEADS: Final = ("Requests priced", "Tokens priced")
_TIER_LETTERS: Final = 20

REASONS = {
    CostState.UNKNOWN_MODEL: "no price is known for this model",
    CostState.NO_USAGE: "the provider reported no usage",
    CostState.PARTIAL: "part of what was used has no price",
    CostState.TRUNCATED: "the response was too large to be captured whole",
}


class SealedSummary(Summary):
    """What is printed."""

    seal: SealView


def fetch_summary(api: QueryApi, parameters: Mapping[str, str]) -> dict[str, Any]:
    """The summary as the query service returns it, with its seal; amounts as exact Decimals. Raises: NoResponse."""
    summary, seal = api.get_sealed("/v1/report/summary", parameters)
    return {**summary, "seal": seal}


def compile_report(
    summary: SealedSummary, console: Console, *, doctor: str = "farebox doctor", zone: tzinfo = UTC
) -> None:
    """Prints the report in the console's width; plain text where it is no terminal.

    `doctor` is what to type to learn more about what it leaves out; timestamps are shown in `zone`.
    """
    compile_lines(_lines(summary, console.width, doctor, zone), console)


def _lines(summary: SealedSummary, width: int, doctor: str, zone: tzinfo) -> Iterator[Text]:
    start, end = (minute(when.astimezone(zone)) for when in (summary.start, summary.end))
    yield Text(f"\nCosts from {start} to {end} ({zone})\n", style="bold")
    yield from _tree(summary, width)
    yield _heading("How complete this is")
    yield from seal_lines(summary.seal)
    if not summary.total.attempts:
        return
    if summary.top_users:
        yield _heading(f"Top {pluralize(len(summary.top_users), 'user')} by cost")
        yield from _users(summary, width)
    yield _heading("Cache performance")
    yield from _cache(summary)
    yield _heading("What these amounts leave out")
    yield from _left_out(summary, doctor)


def _heading(text: str) -> Text:
    return Text(f"\n{text}", style="bold")


def _tree(summary: Summary, width: int) -> Iterator[Text]:
    """Environments and their features: what they cost, of what share, and how much of it could be priced."""
    branches = [("Total costs", summary.total, None), *_branches(summary)]
    rows = [(name, usd(spend.cost_usd), percent(share), *_coverage(spend)) for name, spend, share in branches]
    head, total, *others = columns([("", "Cost", "Share", *_COVERAGE_HEADS), *rows], width)
    total.stylize("bold")
    yield from (head, total, *others)


def _branches(summary: Summary) -> Iterator[tuple[str, Spend, float | None]]:
    for environment in summary.environments:
        is_last = environment is summary.environments[-1]
        yield ("└── " if is_last else "├── ") + environment.name, environment, environment.share
        for feature in environment.features:
            guide = "    " if is_last else "│   "
            guide += "└── " if feature is environment.features[-1] else "├── "
            yield guide + feature.name, feature, feature.share


def _coverage(spend: Spend) -> tuple[str, str]:
    return f"{spend.attempts - spend.unpriced_requests:,} of {spend.attempts:,}", tokens_priced(spend)


def _users(summary: Summary, width: int) -> Iterator[Text]:
    rows: list[tuple[str, ...]] = [("", "Cost", *_COVERAGE_HEADS, "Tier")]
    for place, user in enumerate(summary.top_users, 1):
        name, tier = f"{place:>2}. {user.user_id or '(no user)'}", (user.tier or "")[:_TIER_LETTERS]
        rows.append((name, usd(user.cost_usd), *_coverage(user), tier))
    if not any(user.tier for user in summary.top_users):
        rows = [row[:-1] for row in rows]
    yield from columns(rows, width)


def _cache(summary: Summary) -> Iterator[Text]:
    cache = summary.cache
    if not cache.requests:
        yield Text("  No request allowed a response from the cache.")
        return
    share = f"{cache.hits:,} of {pluralize(cache.requests, 'request')} that allowed it"
    yield Text(f"  Hit rate:  {percent(cache.hit_rate)} ({share})")
    unknown = (
        f", not counting {pluralize(cache.unpriced_hits, 'hit')} of unknown savings" if cache.unpriced_hits else ""
    )
    yield Text(f"  Savings:   {usd(cache.savings_usd)}{unknown if cache.savings_usd is not None else ''}")


def _left_out(summary: Summary, doctor: str) -> Iterator[Text]:
    total = summary.total
    if not total.unpriced_requests:
        yield Text("  Nothing: every request has a known cost.")
        yield from _disputed(summary, doctor)
        return
    yield Text(f"  {total.unpriced_requests:,} of {pluralize(total.attempts, 'request')} could not be priced.")
    yield Text(f"  Priced: {covered(total)}.")
    for entry in summary.unpriced:
        reason = REASONS.get(entry.cost_state, entry.cost_state)
        yield Text(f"    {model_of(entry)}: {pluralize(entry.requests, 'request')}, {reason}")
    yield Text("  What to do about it:")
    yield Text(f"    {doctor}", no_wrap=True)
    yield from _disputed(summary, "")


def _disputed(summary: Summary, doctor: str) -> Iterator[Text]:
    """Costs that are in the total, and that somebody should look at: with the command where it is not shown yet."""
    if summary.disputed_requests:
        requests = pluralize(summary.disputed_requests, "request")
        yield Text(f"  In the total, and in doubt: {requests} whose reported cost contradicts the calculated one.")
        if doctor:
            yield Text(f"    {doctor}", no_wrap=True)


def model_of(entry: Unpriced | UnknownModel) -> str:
    """A model that has no price, and whose it is."""
    return f"{entry.model or UNNAMED} ({entry.provider})"


def covered(spend: Spend | CoverageView) -> str:
    """Of how much the cost is known."""
    text = f"{percent(spend.priced_request_share)} of requests"
    if spend.priced_token_share is not None:
        known = "known " if spend.unpriced_requests_without_tokens else ""
        text += f", {percent(spend.priced_token_share)} of {known}tokens"
    unknown = spend.unpriced_requests_without_tokens
    return f"{text}; {pluralize(unknown, 'request')} with unknown token counts" if unknown else text


def tokens_priced(spend: Spend | CoverageView) -> str:
    """The share; of the tokens that are known, where unpriced requests have some that are not."""
    leaves_out = spend.unpriced_requests_without_tokens and spend.priced_token_share
    return percent(spend.priced_token_share) + (" of known" if leaves_out else "")
