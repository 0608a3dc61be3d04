"""The cost report: asked from the query service, and laid out for people in a terminal or a file."""

from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from schemas.api import EnvironmentSpend, FeatureSpend, Spend, Summary
from schemas.price import CostState
from services.cli.asking import QueryApi

_GUIDES = 4  # characters that a level of the tree is moved in by

REASONS = {
    CostState.UNKNOWN_MODEL: "no price is known for this model",
    CostState.NO_USAGE: "the provider did not say what was used",
    CostState.PARTIAL: "part of what was used has no price",
}


def fetch_summary(api: QueryApi, *, since: str) -> dict[str, Any]:
    """The summary as the query service tells it, amounts as exact Decimals. Raises: NotAnswered."""
    summary: dict[str, Any] = api.get("/v1/report/summary", {"since": since})
    return summary


def print_report(summary: Summary, console: Console) -> None:
    """Prints the report; plain text where `console` is no terminal."""
    console.print(Group(*_sections(summary)), highlight=False, soft_wrap=False)


def _sections(summary: Summary) -> Iterator[RenderableType]:
    yield Text(f"\nCosts from {_day(summary.start)} to {_day(summary.end)} (UTC)\n", style="bold")
    yield _tree(summary)
    if not summary.total.requests:
        return
    if summary.top_users:
        yield _heading(f"Top {len(summary.top_users)} users by cost")
        yield _users(summary)
    yield _heading("Cache performance")
    yield _cache(summary)
    yield _heading("What these amounts leave out")
    yield _coverage(summary)


def _heading(text: str) -> Text:
    return Text(f"\n{text}", style="bold")


def _day(moment: Any) -> str:
    return f"{moment:%-d %b %Y %H:%M}"


def _tree(summary: Summary) -> Tree:
    """Environments and their features, amounts under each other whatever the level."""
    lines = [(spend.name, 1) for spend in summary.environments]
    lines += [(feature.name, 2) for spend in summary.environments for feature in spend.features]
    width = max(len(name) + _GUIDES * level for name, level in [("Total costs", 0), *lines])
    amount = len(usd(summary.total.cost_usd))
    total = Text("Total costs".ljust(width + 2) + usd(summary.total.cost_usd), style="bold")
    tree = Tree(total.append(f"  {counted(summary.total.requests, 'request')}", style="dim"), guide_style="dim")
    for environment in summary.environments:
        branch = tree.add(_line(environment, width - _GUIDES, amount))
        for feature in environment.features:
            branch.add(_line(feature, width - 2 * _GUIDES, amount))
    return tree


def _line(spend: EnvironmentSpend | FeatureSpend, width: int, amount: int) -> Text:
    line = Text(spend.name.ljust(width + 2)).append(usd(spend.cost_usd).rjust(amount), style="green")
    return line.append(_percent(spend.share).rjust(6)).append(_unpriced_note(spend), style="yellow")


def _unpriced_note(spend: Spend) -> str:
    return f"  + {spend.unpriced_requests:,} not priced" if spend.unpriced_requests else ""


def _users(summary: Summary) -> RenderableType:
    table = Table.grid(padding=(0, 2))
    table.add_column(justify="right")
    table.add_column()
    table.add_column(justify="right", style="green")
    table.add_column()
    for place, user in enumerate(summary.top_users, 1):
        tier = f"{user.tier} tier" if user.tier else ""
        table.add_row(f"{place}.", Text(user.user_id or "(no user)"), usd(user.cost_usd), Text(tier))
    return Padding(table, (0, 0, 0, 1), expand=False)


def _cache(summary: Summary) -> RenderableType:
    cache = summary.cache
    if not cache.requests:
        return Text("  No request allowed an answer from the cache.")
    asked = f"{cache.hits:,} of {counted(cache.requests, 'request')} that allowed it"
    return _facts([("Hit rate:", f"{_percent(cache.hit_rate)} ({asked})"), ("Savings:", usd(cache.savings_usd))])


def _coverage(summary: Summary) -> RenderableType:
    total = summary.total
    if not total.unpriced_requests:
        return Text("  Nothing: every request has a known cost.")
    told = f"  {total.unpriced_requests:,} of {counted(total.requests, 'request')} could not be priced; "
    share = f"{_percent(total.priced_request_share)} of the requests"
    if total.priced_token_share is not None:
        share += f" and {_percent(total.priced_token_share)} of the tokens"
    table = Table.grid(padding=(0, 2))
    for entry in summary.unpriced:
        model = Text(f"{entry.model or '(no model named)'} ({entry.provider})")
        table.add_row(model, f"{entry.requests:,}", REASONS.get(entry.cost_state, entry.cost_state))
    return Group(Text(f"{told}{share} could."), Padding(table, (0, 0, 0, 4), expand=False))


def _facts(facts: Iterable[tuple[str, str]]) -> RenderableType:
    table = Table.grid(padding=(0, 2))
    for name, value in facts:
        table.add_row(name, value)
    return Padding(table, (0, 0, 0, 2), expand=False)


def usd(amount: Decimal) -> str:
    """Cents; below one cent as many digits as it takes to show that it is not nothing."""
    if amount and abs(amount) < Decimal("0.01"):
        return f"${amount:.6f}"
    return f"${amount:,.2f}"


def _percent(share: float | None) -> str:
    return "" if share is None else f"{share:.0%}" if share <= 0.99 or share == 1 else f"{share:.1%}"


def counted(count: int, thing: str) -> str:
    return f"{count:,} {thing}" + ("" if count == 1 else "s")
