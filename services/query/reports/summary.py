"""What traffic cost in a period: a tree that adds up, the users who cost most, the cache, the unpriced."""

import asyncio
from collections.abc import Sequence
from decimal import Decimal

from schemas.api.reports import CacheUse, EnvironmentSpend, FeatureSpend, Spend, Summary, Unpriced, UserSpend
from schemas.tables import REQUEST_RESPONSE, Operator
from services.ports.warehouse import QueryableWarehouse
from services.query.reports.groups import Group, run_report
from services.query.reports.period import Period
from services.query.reports.totals import SPEND, SpendTotals, rest_of, share_of, spend_of, spend_totals_of, sum_of
from services.sql.measures import MEASURES, ROWS, Measure
from services.sql.nodes import And, Dimension, Filter, Not, Or, Report, comparison
from services.sql.parse import has_property
from services.sql.sort import group_by_column, group_by_property
from services.sql.values import MAX_VALUE

ABSENT = "(none)"  # requests without the property
REST = "(other)"  # groups beyond the limit
BRANCHES = 10_000
TOP_USERS = 5

_CACHE = {
    "hits": MEASURES["cache_hits"],
    "requests": MEASURES["cache_requests"],
    "hit_rate": MEASURES["cache_hit_rate"],
    "savings_usd": MEASURES["cache_savings_usd"],
    "unpriced_hits": MEASURES["unpriced_cache_hits"],
}
_DISPUTED = comparison("cost_disputed", Operator.EQUALS, True)


async def summarize(organization_id: str, period: Period, warehouse: QueryableWarehouse) -> Summary:
    """Raises: StoreUnavailable."""

    async def groups(
        by: Sequence[Dimension], measures: Sequence[Measure], *also: Filter, limit: int = BRANCHES
    ) -> tuple[Group, list[Group]]:
        query = Report(
            table=REQUEST_RESPONSE,
            organization_id=organization_id,
            where=And((period.filter(), *also)),
            measures=tuple(measures),
            by=tuple(by),
            limit=limit,
        )
        return await run_report(query, warehouse)

    user, tier = group_by_column("user_id"), group_by_property("UserTier")
    (total, branches), (_, users), (_, unpriced), (disputed, _) = await asyncio.gather(
        groups((group_by_property("Environment"), group_by_property("Feature")), (*SPEND, *_CACHE.values())),
        groups((user,), SPEND, Not(comparison("user_id", Operator.EQUALS, None)), limit=TOP_USERS),
        groups(
            (group_by_column("provider"), group_by_column("model"), group_by_column("cost_state")),
            (ROWS,),
            comparison("cost_usd", Operator.EQUALS, None),
        ),
        # Of the few with a reported cost: comparing all would take longer than the sums.
        groups((), (ROWS,), Not(comparison("provider_cost_usd", Operator.EQUALS, None)), _DISPUTED),
    )
    _, tiers = await groups((user, tier), (MEASURES["last_request_at"],), has_property("UserTier"), _any_of(users))
    return Summary(
        start=period.start,
        end=period.end,
        total=Spend(**spend_of(spend_totals_of(total))),
        environments=environments(total, branches),
        top_users=[_user(group, tiers) for group in users],
        cache=CacheUse(**{field: total.figures[measure.name] for field, measure in _CACHE.items()}),
        unpriced=[_unpriced(group) for group in unpriced],
        disputed_requests=disputed.figures["requests"],
    )


def environments(total: Group, branches: Sequence[Group]) -> list[EnvironmentSpend]:
    """The tree. What `branches` leave of the total becomes a branch of its own, so the tree always adds up."""
    whole = spend_totals_of(total)
    parts = [(branch.by, spend_totals_of(branch)) for branch in branches]
    rest = rest_of(whole, sum_of(totals for _, totals in parts))
    if rest.attempts:
        parts.append(((REST, REST), rest))
    by_environment: dict[str, list[tuple[str, SpendTotals]]] = {}
    for (environment, feature), totals in parts:
        by_environment.setdefault(environment or ABSENT, []).append((feature or ABSENT, totals))
    tree = [_environment(name, features, whole) for name, features in by_environment.items()]
    return sorted(tree, key=_by_cost_descending)


def _by_cost_descending(spend: EnvironmentSpend) -> tuple[bool, Decimal, str]:
    """What is unknown comes last."""
    return spend.cost_usd is None, -(spend.cost_usd or Decimal(0)), spend.name


def _environment(name: str, features: Sequence[tuple[str, SpendTotals]], whole: SpendTotals) -> EnvironmentSpend:
    totals = sum_of(part for _, part in features)
    return EnvironmentSpend(
        name=name,
        share=share_of(totals.cost_usd, whole.cost_usd),
        features=[
            FeatureSpend(name=feature, share=share_of(part.cost_usd, totals.cost_usd), **spend_of(part))
            for feature, part in features
        ],
        **spend_of(totals),
    )


def _user(group: Group, tiers: Sequence[Group]) -> UserSpend:
    """`tiers` are those with the latest use first."""
    (user_id,) = group.by
    tier = next((of_user.by[1] for of_user in tiers if of_user.by[0] == user_id), None)
    return UserSpend(user_id=user_id, tier=tier, **spend_of(spend_totals_of(group)))


def _unpriced(group: Group) -> Unpriced:
    provider, model, state = group.by
    return Unpriced(provider=provider or "", model=model or "", cost_state=state, requests=group.figures["requests"])


def _any_of(users: Sequence[Group]) -> Filter:
    """Those whose names are no longer than a value of a filter may be."""
    names = (user.by[0] for user in users if len(user.by[0]) <= MAX_VALUE)
    return Or(tuple(comparison("user_id", Operator.EQUALS, name) for name in names))
