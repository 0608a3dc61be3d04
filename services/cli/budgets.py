"""`farebox budgets ...`: dollars that may be spent, and what is left of them. By the API; changes need an admin key."""

from decimal import Decimal, InvalidOperation
from typing import Annotated, Any, Final
from urllib.parse import quote

import typer

from schemas.budget import BudgetAction, BudgetMode, Period, Segment, UnknownCost
from schemas.errors import InvalidRequest
from services.cli.budget_lines import history_lines, list_lines, spend_lines, state_lines
from services.cli.client import QueryApi
from services.cli.named import id_of
from services.cli.options import DATA, AsJson, Data, Key, Url, errors_in_one_line, query_api, show, warn_of_names
from services.cli.terminal import compile_lines, console, escape

budgets = typer.Typer(help="Set, show, change, override and remove budgets.", no_args_is_help=True)

_PATH: Final = "/v1/budgets"

Name = Annotated[str, typer.Argument(help="Name or id of the budget.")]
Names = list[str] | None


@budgets.command("list")
def list_budgets(as_data: AsJson = False, url: Url = "", key: Key = "", data: Data = DATA) -> None:
    """List budgets, and how each stands."""
    with errors_in_one_line():
        found = query_api(url, key, data).get(_PATH, {"spend": "true"})
        show(found, lambda to: compile_lines(list_lines(found), to), as_data=as_data)


@budgets.command("create")
def create_budget(
    name: Annotated[str, typer.Argument(help="Unique; rows and refusals name it.")],
    limit: Annotated[str, typer.Option(metavar="USD", help="Dollars that may be spent in each period.")],
    per: Annotated[Segment, typer.Option(help="What has a counter of its own.")] = Segment.ORGANIZATION,
    property_name: Annotated[str, typer.Option("--property", help="Its name, with --per property.")] = "",
    value: Annotated[str, typer.Option(help="Only this key, user, session or value.")] = "",
    where: Annotated[
        Names, typer.Option("--where", metavar="NAME=VALUE", help="A property that requests must have. Repeatable.")
    ] = None,
    period: Annotated[Period, typer.Option(help="When counters begin anew.")] = Period.MONTH,
    window_s: Annotated[int, typer.Option(metavar="SECONDS", help="Of a rolling period.")] = 0,
    zone: Annotated[str, typer.Option(help="IANA name: of calendar periods.")] = "UTC",
    action: Annotated[BudgetAction, typer.Option(help="Of requests without room.")] = BudgetAction.BLOCK,
    model: Annotated[str, typer.Option(help="The cheaper model, with --action fallback.")] = "",
    shadow: Annotated[bool, typer.Option("--shadow", help="Record what would be done, and do nothing.")] = False,
    block_unknown: Annotated[
        bool, typer.Option("--block-unknown", help="Refuse requests whose cost has no upper bound.")
    ] = False,
    threshold: Annotated[
        list[int] | None, typer.Option(metavar="PERCENT", help="To be reported to the channels. Repeatable.")
    ] = None,
    channel: Annotated[
        list[str] | None, typer.Option(metavar="CHANNEL", help="That reports them: name or id. Repeatable.")
    ] = None,
    url: Url = "",
    key: Key = "",
    data: Data = DATA,
) -> None:
    """Set a budget. Proxies know it within seconds."""
    with errors_in_one_line():
        body: dict[str, Any] = {
            "name": name,
            "limit_usd": _usd(limit),
            "segment": per,
            "property": property_name,
            "value": value,
            "where": dict(_condition(one) for one in where or ()),
            "period": period,
            "window_s": window_s,
            "time_zone": zone,
            "action": action,
            "fallback_model": model,
            "mode": BudgetMode.SHADOW if shadow else BudgetMode.ENFORCED,
            "unknown_cost": UnknownCost.BLOCK if block_unknown else UnknownCost.PASS,
            "thresholds": threshold or [],
        }
        api = query_api(url, key, data)
        known = api.get("/v1/channels") if channel else []
        body["channel_ids"] = [id_of(known, one, "channel") for one in channel or ()]
        whole = api.post_whole(_PATH, body)
        warn_of_names(whole)
        print(f"created {escape(whole['data']['name'])}: {whole['data']['id']}")


@budgets.command("show")
def show_budget(
    name: Name,
    value: Annotated[str, typer.Option(help="Of this key, user, session or value; else those that spent most.")] = "",
    as_data: AsJson = False,
    url: Url = "",
    key: Key = "",
    data: Data = DATA,
) -> None:
    """Show what was spent of a budget, is reserved and remains."""
    with errors_in_one_line():
        api = query_api(url, key, data)
        found = api.get(f"{_PATH}/{_id_of(api, name)}", {"value": value} if value else None)
        show(found, lambda to: compile_lines(state_lines(found), to), as_data=as_data)


@budgets.command("change")
def change_budget(
    name: Name,
    limit: Annotated[str, typer.Option(metavar="USD", help="Its own limit.")] = "",
    action: Annotated[BudgetAction | None, typer.Option(help="Of requests without room.")] = None,
    model: Annotated[str, typer.Option(help="The cheaper model, with --action fallback.")] = "",
    shadow: Annotated[bool | None, typer.Option("--shadow/--enforce", help="Only record, or do it.")] = None,
    block_unknown: Annotated[
        bool | None, typer.Option("--block-unknown/--pass-unknown", help="Requests whose cost has no upper bound.")
    ] = None,
    threshold: Annotated[list[int] | None, typer.Option(metavar="PERCENT", help="Instead of those it has.")] = None,
    channel: Annotated[list[str] | None, typer.Option(metavar="CHANNEL", help="Instead of those it has.")] = None,
    url: Url = "",
    key: Key = "",
    data: Data = DATA,
) -> None:
    """Change what is given. What a budget counts never changes: make another one."""
    with errors_in_one_line():
        api = query_api(url, key, data)
        given: dict[str, Any] = {
            "limit_usd": _usd(limit) if limit else None,
            "action": action,
            # Of another action no model is left over.
            "fallback_model": model or ("" if action not in (None, BudgetAction.FALLBACK) else None),
            "mode": None if shadow is None else BudgetMode.SHADOW if shadow else BudgetMode.ENFORCED,
            "unknown_cost": None if block_unknown is None else UnknownCost.BLOCK if block_unknown else UnknownCost.PASS,
            "thresholds": threshold,
        }
        known = api.get("/v1/channels") if channel else []
        given["channel_ids"] = [id_of(known, one, "channel") for one in channel or ()] or None
        if all(value is None for value in given.values()):
            raise InvalidRequest("pass what is to change, such as --limit")
        changed = api.patch(f"{_PATH}/{_id_of(api, name)}", given)
        compile_lines(list_lines([changed]), console())


@budgets.command("history")
def show_history(
    name: Name,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many, the latest first.")] = 20,
    as_data: AsJson = False,
    url: Url = "",
    key: Key = "",
    data: Data = DATA,
) -> None:
    """List requests that a budget refused or sent to its other model, or would have."""
    with errors_in_one_line():
        api = query_api(url, key, data)
        found = api.get(f"{_PATH}/{_id_of(api, name)}/history", {"limit": str(limit)})
        show(found, lambda to: compile_lines(history_lines(found), to), as_data=as_data)


@budgets.command("spend")
def show_spend(
    user: Annotated[str, typer.Option(help="A user's id.")] = "",
    session: Annotated[str, typer.Option(help="A session's id.")] = "",
    property_name: Annotated[str, typer.Option("--property", help="Name of a property, with its --value.")] = "",
    value: Annotated[str, typer.Option(help="The value of the property.")] = "",
    period: Annotated[Period, typer.Option(help="What has passed of it.")] = Period.MONTH,
    window_s: Annotated[int, typer.Option(metavar="SECONDS", help="Of a rolling period.")] = 0,
    zone: Annotated[str, typer.Option(help="IANA name: of calendar periods.")] = "UTC",
    budget: Annotated[str, typer.Option(help="Name or id of the budget that counts it.")] = "",
    as_data: AsJson = False,
    url: Url = "",
    key: Key = "",
    data: Data = DATA,
) -> None:
    """Show what a user, session or value has spent; without one the key that asks."""
    with errors_in_one_line():
        asked = {
            "user": user,
            "session": session,
            "property": property_name,
            "value": value,
            "budget": budget,
            "period": period.value,
            "window_s": str(window_s),
            "time_zone": zone,
        }
        found = query_api(url, key, data).get("/v1/me/spend", {name: one for name, one in asked.items() if one})
        show(found, lambda to: compile_lines(spend_lines(found), to), as_data=as_data)


@budgets.command("override")
def override_budget(
    name: Name,
    limit: Annotated[str, typer.Option(metavar="USD", help="The limit until then.")] = "",
    until: Annotated[str, typer.Option(metavar="TIMESTAMP", help="ISO 8601 with an offset.")] = "",
    end: Annotated[bool, typer.Option("--end", help="End the override instead.")] = False,
    url: Url = "",
    key: Key = "",
    data: Data = DATA,
) -> None:
    """Set another limit until a timestamp, at which the budget's own holds again."""
    with errors_in_one_line():
        if end == bool(limit or until) or bool(limit) != bool(until):
            raise InvalidRequest("pass both --limit and --until, or --end")
        api = query_api(url, key, data)
        path = f"{_PATH}/{_id_of(api, name)}/override"
        if end:
            api.delete(path)
            print(f"{escape(name)} has its own limit again")
        else:
            api.post(path, {"limit_usd": _usd(limit), "until": until})
            print(f"{escape(name)} has the limit ${escape(limit)} until {escape(until)}")


@budgets.command("remove")
def remove_budget(name: Name, url: Url = "", key: Key = "", data: Data = DATA) -> None:
    """Remove a budget. Proxies may apply it for a few more seconds."""
    with errors_in_one_line():
        api = query_api(url, key, data)
        api.delete(f"{_PATH}/{_id_of(api, name)}")
        print(f"removed {escape(name)}")


def _id_of(api: QueryApi, name: str) -> str:
    """Raises: NotFound, NoResponse."""
    return quote(id_of(api.get(_PATH), name, "budget"), safe="")


def _condition(text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not (name and sign and value):
        raise InvalidRequest(f"--where {text[:100]!r}: expected NAME=VALUE")
    return name, value


def _usd(text: str) -> Decimal:
    try:
        return Decimal(text.removeprefix("$"))
    except InvalidOperation:
        raise InvalidRequest(f"--limit {text[:40]!r}: expected dollars, such as 25 or 0.5") from None
