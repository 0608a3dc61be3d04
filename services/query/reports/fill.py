"""Buckets in which nothing was requested, between those that the warehouse finds."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final, TypeAlias

from schemas.api.reports import Presence
from services.query.reports.groups import Group
from services.sql.score_measures import is_zero_of_nothing

Bucket: TypeAlias = datetime | date

_OF_VALUE: Final = frozenset({"value_usd", "margin_usd"})


def filled(groups: Sequence[Group], buckets: Sequence[Bucket], total: Group) -> list[Group]:
    """`groups` by one time and in its order, with one for each of `buckets`. Groups beyond them stay at the end."""
    found = {group.by[0]: group for group in groups}
    beyond = [group for group in groups if group.by[0] not in set(buckets)]
    return [found.get(bucket) or _empty(bucket, total) for bucket in buckets] + beyond


def _empty(bucket: Bucket, total: Group) -> Group:
    """What a report over no requests has: sums and counts are zero, and all else has no value."""
    return Group((bucket,), _nothing(total.figures), _nothing(total.previous), Presence.NEITHER)


def _nothing(figures: Mapping[str, Any]) -> dict[str, Any]:
    is_value_known = figures.get("value_usd") is not None
    return {
        name: 0 if is_zero_of_nothing(name) and (is_value_known or name not in _OF_VALUE) else None for name in figures
    }
