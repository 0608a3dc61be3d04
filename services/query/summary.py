"""What traffic cost in a period, in one answer: a tree that adds up, the dearest users, the cache, the unpriced."""

import asyncio
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from schemas.api import CacheUse, EnvironmentSpend, FeatureSpend, Spend, Summary, TotalSpend, Unpriced, UserSpend
from schemas.tables import REQUEST_RESPONSE, Operator
from services.ports import Warehouse
from services.query.groups import Group, ask
from services.query.period import Period
from services.sql.measures import MEASURES
from services.sql.nodes import And, Compare, Dimension, Filter, Not, Or, Report
from services.sql.order import group_by_column, group_by_property
from services.sql.parse import has_property

ABSENT = "(none)"  # requests without the property
REST = "(other)"  # groups beyond the limit
BRANCHES = 10_000
TOP_USERS = 5

_SPEND = ("cost_usd", "requests", "unpriced_requests")
_CACHE = ("cache_hits", "cache_requests", "cache_hit_rate", "cache_savings_usd")
_COVERAGE = ("priced_request_share", "priced_token_share")


async def summarise(organization_id: str, period: Period, warehouse: Warehouse) -> Summary:
    """Raises: StoreUnavailable."""

    async def groups(
        by: Sequence[Dimension], measures: Sequence[str], *also: Filter, limit: int = BRANCHES
    ) -> tuple[Group, list[Group]]:
        asked = Report(
            table=REQUEST_RESPONSE,
            organization_id=organization_id,
            where=And((period.filter(), *also)),
            measures=tuple(MEASURES[name] for name in measures),
            by=tuple(by),
            limit=limit,
        )
        return await ask(asked, warehouse)

    user, tier = group_by_column("user_id"), group_by_property("UserTier")
    (total, branches), (_, users), (_, unpriced) = await asyncio.gather(
        groups((group_by_property("Environment"), group_by_property("Feature")), (*_SPEND, *_COVERAGE, *_CACHE)),
        groups((user,), _SPEND, Not(_equals("user_id", None)), limit=TOP_USERS),
        groups(
            (group_by_column("provider"), group_by_column("model"), group_by_column("cost_state")),
            ("requests",),
            _equals("cost_usd", None),
        ),
    )
    _, tiers = await groups((user, tier), ("last_request_at",), has_property("UserTier"), _any_of(users))
    return Summary(
        start=period.start,
        end=period.end,
        total=TotalSpend(**_spend(total.figures), **{name: total.figures[name] for name in _COVERAGE}),
        environments=environments(total, branches),
        top_users=[_user(group, tiers) for group in users],
        cache=CacheUse(**{name.removeprefix("cache_"): total.figures[name] for name in _CACHE}),
        unpriced=[_unpriced(group) for group in unpriced],
    )


def environments(total: Group, branches: Sequence[Group]) -> list[EnvironmentSpend]:
    """The tree. What `branches` leave of the total becomes a branch of its own, so the tree always adds up."""
    whole = _spend(total.figures)
    rest = _minus(whole, _sum(branches))
    if rest["requests"]:
        branches = [*branches, Group((REST, REST), rest)]
    by_environment: dict[str, list[Group]] = {}
    for branch in branches:
        by_environment.setdefault(branch.by[0] or ABSENT, []).append(branch)
    tree = [_environment(name, parts, whole["cost_usd"]) for name, parts in by_environment.items()]
    return sorted(tree, key=lambda environment: (-environment.cost_usd, environment.name))


def _environment(name: str, parts: Sequence[Group], whole: Decimal) -> EnvironmentSpend:
    spend = _sum(parts)
    features = [
        FeatureSpend(
            name=part.by[1] or ABSENT,
            share=_share(part.figures["cost_usd"], spend["cost_usd"]),
            **_spend(part.figures),
        )
        for part in parts
    ]
    return EnvironmentSpend(name=name, share=_share(spend["cost_usd"], whole), features=features, **spend)


def _spend(figures: Mapping[str, Any]) -> dict[str, Any]:
    return {name: figures[name] for name in Spend.model_fields}


def _sum(groups: Sequence[Group]) -> dict[str, Any]:
    return {name: sum((group.figures[name] for group in groups), type_(0)) for name, type_ in _ZEROS.items()}


def _minus(whole: Mapping[str, Any], part: Mapping[str, Any]) -> dict[str, Any]:
    return {name: whole[name] - part[name] for name in whole}


_ZEROS = {"cost_usd": Decimal, "requests": int, "unpriced_requests": int}


def _share(part: Decimal, whole: Decimal) -> float | None:
    return float(part / whole) if whole else None


def _user(group: Group, tiers: Sequence[Group]) -> UserSpend:
    """`tiers` are those with the latest use first."""
    (user_id,) = group.by
    tier = next((of_user.by[1] for of_user in tiers if of_user.by[0] == user_id), None)
    return UserSpend(user_id=user_id, tier=tier, **_spend(group.figures))


def _unpriced(group: Group) -> Unpriced:
    provider, model, state = group.by
    return Unpriced(provider=provider or "", model=model or "", cost_state=state, requests=group.figures["requests"])


def _equals(name: str, value: str | None) -> Filter:
    return Compare(column=REQUEST_RESPONSE.columns[name], operator=Operator.EQUALS, value=value)


def _any_of(users: Sequence[Group]) -> Filter:
    return Or(tuple(_equals("user_id", user.by[0]) for user in users))
