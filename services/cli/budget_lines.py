"""Budgets, what is left of them, and what they have done, for people."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.text import Text

from schemas.api.budgets import MOST_VALUES
from schemas.budget import BudgetAction, BudgetMode, Period, Segment
from services.cli.terminal import escape, pluralize


def list_lines(found: Sequence[Mapping[str, Any]]) -> Iterator[Text]:
    for one in found:
        yield Text(escape(one["name"]), style="bold")
        yield Text(f"  {_terms(one)}")
        override = one["override"]
        if override is not None:
            yield Text(f"  ${override['limit_usd']} until {override['until']}")
        if one.get("spend") is not None:
            yield Text(f"  {_standing(one['spend'])}")
    if not found:
        yield Text("There are no budgets yet: farebox budgets create")


def _terms(one: Mapping[str, Any]) -> str:
    per = "" if one["segment"] == Segment.ORGANIZATION else f" for each {escape(one['property'] or one['segment'])}"
    if one["value"]:
        per = f" for the {escape(one['property'] or one['segment'])} {escape(one['value'])}"
    where = "".join(f", {escape(name)}={escape(value)}" for name, value in one["where"].items())
    period = f"{one['window_s']} s" if one["period"] == Period.ROLLING else f"{one['period']} ({one['time_zone']})"
    action = f"{one['action']} to {escape(one['fallback_model'])}" if one["fallback_model"] else one["action"]
    shadow = ", shadow" if one["mode"] == BudgetMode.SHADOW else ""
    return f"${one['limit_usd']} per {period}{per}{where}: {action}{shadow}"


def state_lines(found: Mapping[str, Any]) -> Iterator[Text]:
    yield from list_lines([found["budget"]])
    for number, one in enumerate(found["counters"]):
        value = f"{escape(one['value'])}: " if one["value"] else ""
        reserved = f", ${one['reserved_usd']} reserved" if one["reserved_usd"] else ""
        resets = f", resets at {one['resets_at']}" if one["resets_at"] else ""
        yield Text(f"  {value}${one['spent_usd']} spent{reserved}, {_left(one)}{resets}")
        if number == 0 and found["forecast"] is not None:
            yield Text(f"  {_heading(found['forecast'])}")
        yield Text(f"    {_overshoot(one['overshoot'])}")
        if not one["freshness"]["rebuilt"]:
            yield Text("    the ledger is not in it yet: what was spent before may be missing", style="yellow")


def _overshoot(one: Mapping[str, Any]) -> str:
    if one["bound_usd"] is None:
        return "it refuses nothing, and so can be exceeded by any amount"
    parts = f"${one['killed_proxies_usd']} if proxies are killed, ${one['lost_counters_usd']} if counters are lost"
    beside = "; requests of unknown cost pass beside it" if one["unknown_cost_passes"] else ""
    return f"can be exceeded by ${one['bound_usd']} now: {parts}{beside}"


def _heading(forecast: Mapping[str, Any]) -> str:
    """Of the first counter."""
    by = forecast["reaches_limit_by"]
    crossing = f", and the limit is reached by {by}" if by else ""
    return f"  at this pace ${round(forecast['spent_usd'], 2)} at the end{crossing}"


def history_lines(events: Sequence[Mapping[str, Any]]) -> Iterator[Text]:
    for one in events:
        who = f" of {escape(one['user_id'])}" if one["user_id"] else ""
        models = f"{escape(one['requested_model'])} -> {escape(one['model'])}"
        model = models if one["status"] == BudgetAction.FALLBACK else escape(one["requested_model"])
        yield Text(f"{one['created_at']}  {one['status']:<8}  {one['request_id']}{who}, {model}")
    if not events:
        yield Text("It has refused no request, and sent none to another model")


def spend_lines(found: Mapping[str, Any]) -> Iterator[Text]:
    """What one user, session, key or value has spent."""
    who = f"{escape(found['property'] or found['segment'])} {escape(found['value'])}".strip()
    yield Text(f"{who}: ${found['spent_usd']} spent from {found['starts_at']} on")
    if found["budget"]:
        yield Text(f"  {_left(found)}, by the budget {escape(found['budget'])}")
    if found["unpriced_requests"]:
        yield Text(f"  beside {pluralize(found['unpriced_requests'], 'request')} without a price", style="yellow")
    until = found["freshness"]["ledger_until"]
    yield Text(f"  by the {found['freshness']['source']}, complete until {until or 'an unknown time'}")


def _standing(spend: Mapping[str, Any]) -> str:
    """Of the value with the least left."""
    one = spend["leading"]
    if one is None:
        return "nothing was spent of it yet"
    whose = f"{escape(one['value'])}: " if one["value"] else ""
    of = spend["counters"] if spend["counters"] <= MOST_VALUES else f"the {MOST_VALUES} that spent most"
    rest = f"; {spend['used_up']} of {of} have nothing left" if one["value"] else ""
    return f"{whose}${one['spent_usd']} spent, {_left(one)}{rest}"


def _left(one: Mapping[str, Any]) -> str:
    if one["remaining_usd"] < 0:
        return f"${-one['remaining_usd']} above ${one['limit_usd']}"
    return f"${one['remaining_usd']} of ${one['limit_usd']} left"
