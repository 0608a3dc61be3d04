"""`farebox prices ...`: what an operator types to look at prices, and to add the ones that apply here."""

from typing import Annotated, Final

import typer

from schemas.api.prices import AddedPriceView, OperatorPriceView, PricesView
from schemas.api.requests import UTC_NAME
from services.cli.options import DATA, AsJson, Data, Key, Url, Zone, errors_in_one_line, query_api, show
from services.cli.prices.parse import amount_of, class_prices, tier_prices
from services.cli.prices.render import added_price, listed_prices, shown_prices
from services.cli.terminal import compile_lines, console, sanitize
from services.domain.providers.catalog import PROVIDERS
from services.domain.providers.others import CUSTOM

prices = typer.Typer(help="Show prices, and add your own.", no_args_is_help=True)

# Whose prices are searched when no provider is named: those with a log path whose models cost the same at any seller,
# and the one of calls logged without a provider.
_SOLE_SELLERS: Final = tuple(
    one.name for one in PROVIDERS if one.log_label and one.prices and one.prices.is_sole_seller
)
LIKELY: Final = (*_SOLE_SELLERS, CUSTOM.name)

Provider = Annotated[str, typer.Option(help=f"As requests show it: {', '.join(LIKELY)} ... Default: any.")]
ServiceTier = Annotated[str, typer.Option(help="flex, priority, batch ... Default: the standard one.")]


@prices.command("add")
def add_price(
    model: Annotated[str, typer.Argument(help="As billed: gpt-4o-2024-08-06, or gpt-4o-20* for every dated one.")],
    input_: Annotated[str, typer.Option("--input", metavar="USD", help="Per million input tokens.")] = "",
    output: Annotated[str, typer.Option(metavar="USD", help="Per million output tokens.")] = "",
    cached: Annotated[str, typer.Option(metavar="USD", help="Per million cached input tokens.")] = "",
    price: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CLASS=USD",
            help="Of any usage class: per million tokens, per hour of audio (prompt_audio_ms), else for one.",
        ),
    ] = None,
    above: Annotated[
        list[str] | None,
        typer.Option(metavar="TOKENS:CLASS=USD", help="Replaces it for prompts above TOKENS."),
    ] = None,
    per_request: Annotated[str, typer.Option(metavar="USD", help="For each request, beside what it uses.")] = "0",
    provider: Provider = "",
    service_tier: ServiceTier = "",
    valid_from: Annotated[
        str | None, typer.Option("--from", metavar="TIMESTAMP", help="ISO 8601. Default: now.")
    ] = None,
    valid_until: Annotated[
        str | None, typer.Option("--until", metavar="TIMESTAMP", help="ISO 8601. Default: for ever.")
    ] = None,
    zone: Zone = UTC_NAME,
    url: Url = "",
    key: Key = "",
    data: Data = DATA,
) -> None:
    """Add the price of a model here. New requests are charged by it within seconds, old ones when you re-price."""
    with errors_in_one_line():
        short = {"--input": input_, "--output": output, "--cached": cached}
        classes = class_prices(short, price or [])
        body = {
            "model": model,
            "provider": provider,
            "service_tier": service_tier,
            **classes,
            "usd_per_request": amount_of(per_request, "--per-request"),
            "tiers": tier_prices(above or [], classes["usd_per_million_tokens"]),
            "valid_from": valid_from,
            "valid_until": valid_until,
            "time_zone": zone,
        }
        added = query_api(url, key, data).post("/v1/prices", body)
        compile_lines(added_price(sanitize(AddedPriceView, added)), console())


@prices.command("list")
def list_prices(as_data: AsJson = False, url: Url = "", key: Key = "", data: Data = DATA) -> None:
    """List the prices that were added here, ended ones too."""
    with errors_in_one_line():
        response = query_api(url, key, data).get("/v1/prices")
        rows = sanitize(PricesView, response).rows
        show(response["rows"], lambda console: compile_lines(listed_prices(rows), console), as_data=as_data)


@prices.command("show")
def show_price(
    model: Annotated[str, typer.Argument(help="A model's name.")],
    provider: Annotated[str, typer.Option(help="As requests show it. Default: who is likely to sell it.")] = "",
    service_tier: ServiceTier = "",
    at: Annotated[str, typer.Option(metavar="TIMESTAMP", help="ISO 8601. Default: now.")] = "",
    zone: Zone = UTC_NAME,
    as_data: AsJson = False,
    url: Url = "",
    key: Key = "",
    data: Data = DATA,
) -> None:
    """Show which price a model is charged by. Also what it replaces, and the rows that name the model."""
    with errors_in_one_line():
        parameters = {"model": model, "service_tier": service_tier, "time_zone": zone} | ({"at": at} if at else {})
        api, tried = query_api(url, key, data), [provider] if provider else list(LIKELY)
        for place, seller in enumerate(tried, 1):
            response = api.get("/v1/prices", parameters | {"provider": seller})
            if response["in_force"]:
                tried = tried[:place]
                break
        view = sanitize(PricesView, response)
        show(response, lambda console: compile_lines(shown_prices(view, tried), console), as_data=as_data)


@prices.command("end")
def end_price(
    row_id: Annotated[str, typer.Argument(help="As `farebox prices list` shows it.")],
    at: Annotated[str | None, typer.Option(metavar="TIMESTAMP", help="ISO 8601. Default: now.")] = None,
    zone: Zone = UTC_NAME,
    url: Url = "",
    key: Key = "",
    data: Data = DATA,
) -> None:
    """End a price from a given timestamp. It stays in the list."""
    with errors_in_one_line():
        ended = query_api(url, key, data).post(f"/v1/prices/{row_id}/end", {"at": at, "time_zone": zone})
        compile_lines(listed_prices([sanitize(OperatorPriceView, ended)]), console())
