"""Prices, laid out for people in a terminal or a file."""

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal

from rich.text import Text

from schemas.api.prices import BILLED_DAYS, AddedPriceView, OperatorPriceView, PricesView, PriceView
from services.cli.terminal import minute


def listed_prices(rows: Sequence[OperatorPriceView]) -> Iterator[Text]:
    """The rows, those that are over too; when there are none, a sentence."""
    if not rows:
        yield Text("No prices were added here: requests are charged by the prices that come with Farebox.")
    for row in rows:
        yield Text(row.row_id, style="bold")
        yield Text(f"  {_model(row)}, {row.provider or 'any provider'}")
        yield from (Text(f"  {line}") for line in _terms(row))
        until = "for ever" if row.valid_until is None else f"until {minute(row.valid_until)}"
        yield Text(f"  {_since(row)}, {until}; added {minute(row.effective_for_events_since)} (UTC)")


def added_price(row: AddedPriceView) -> Iterator[Text]:
    """The row, and which requests that might be expected under it are not."""
    yield from listed_prices([row])
    if row.other_billed_models:
        names = ", ".join(row.other_billed_models)
        billed = f"In the last {BILLED_DAYS} days requests for {row.model} were billed as {names}"
        yield Text(f"{billed}: this price is not for them.", style="yellow")
        yield Text("Prices go by the billed name, and * stands for any text.", style="yellow")


def shown_prices(view: PricesView, providers: Sequence[str]) -> Iterator[Text]:
    """What is charged now, what it replaces, and the rows that are about the model; `providers` were looked up."""
    if view.in_force is None:
        known = f"No price is known for it at {', '.join(providers)}: the cost of such requests is unknown."
        yield Text(f"{known} Name another seller with --provider.", style="bold")
    else:
        yield from _section(f"A request of {providers[-1]} is charged by", view.in_force)
        if view.shipped is not None and view.shipped.id != view.in_force.id:
            yield from _section("Instead of", view.shipped)
    if view.rows:
        yield Text("\nAdded here", style="bold")
        yield from listed_prices(view.rows)


def _section(title: str, price: PriceView) -> Iterator[Text]:
    yield Text(title, style="bold")
    yield Text(f"  {price.id}")
    checked = f", checked {price.checked_on}" if price.checked_on else ""
    yield Text(f"  {_model(price)}, {_since(price)}, from {price.source}{checked}")
    if price.page_url:
        yield Text(f"  {price.page_url}", no_wrap=True)
    yield from (Text(f"  {line}") for line in _terms(price))


def _since(price: PriceView) -> str:
    return "always" if price.valid_from is None else f"since {minute(price.valid_from)}"


def _model(price: PriceView) -> str:
    return f"{price.model}, {price.service_tier}" if price.service_tier else price.model


def _terms(price: PriceView) -> Iterator[str]:
    yield from _amounts(price.usd_per_million_tokens, "per million")
    yield from _amounts(price.usd_per_unit, "each")
    yield from _amounts(price.usd_per_hour, "an hour of")
    if price.usd_per_request:
        yield f"{_digits(price.usd_per_request)} per request"
    for tier in price.tiers:
        above = f"above {tier.above_tokens} tokens"
        yield from (f"{line}, {above}" for line in _amounts(tier.usd_per_million_tokens, "per million"))
        yield from (f"{line}, {above}" for line in _amounts(tier.usd_per_unit, "each"))
    if price.max_prompt_tokens is not None:
        yield f"prompts above {price.max_prompt_tokens} tokens cost more; rate unknown"
    if not (price.usd_per_million_tokens or price.usd_per_unit or price.usd_per_hour or price.usd_per_request):
        yield "its price is unknown"


def _amounts(amounts: dict[str, Decimal], per: str) -> Iterable[str]:
    return (f"{_digits(usd)} {per} {name}" for name, usd in amounts.items())


def _digits(usd: Decimal) -> str:
    return f"{usd.normalize():f}"
