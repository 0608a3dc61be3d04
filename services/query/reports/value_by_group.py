"""What was earned beside what requests cost: which of a report's groups it is known of."""

from collections.abc import Iterator, Sequence
from datetime import datetime, tzinfo
from itertools import islice
from typing import Final

import msgspec

from schemas.errors import InvalidRequest
from services.domain.reports.calendar import bucket_starts, instant_of
from services.query.reports.period import Period
from services.sql.nodes import ByTime, Dimension, Filter, ValueRows
from services.sql.value import names_in_filter, names_in_groups

MAX_CUTS: Final = 8000  # all of them are one parameter of a statement


class ValueGiven(msgspec.Struct, frozen=True, kw_only=True):
    """Of some period: how many entries have a part in it, and by which names some of them are given."""

    entries: int
    names: frozenset[str]  # as in `Named.given`


def value_rows(
    given: ValueGiven | None, period: Period, where: Filter, by: Sequence[Dimension], zone: tzinfo
) -> ValueRows | None:
    """What was earned in `period`, where that is known of the total at least.

    It is known where any was given, and some of it by each name that `where` has; of groups likewise by those in `by`.
    Raises: InvalidRequest when there are more buckets of time than a statement has.
    """
    if given is None or not given.entries or not names_in_filter(where).is_among(given.names):
        return None
    of_groups = names_in_groups(by).is_among(given.names)
    cuts = _cuts(period, by, zone) if of_groups else ()
    return ValueRows(start=period.start, end=period.end, where=where, cuts=cuts, of_groups=of_groups)


def _cuts(period: Period, by: Sequence[Dimension], zone: tzinfo) -> tuple[datetime, ...]:
    cuts: set[datetime] = set()
    for part in by:
        if not isinstance(part, ByTime):
            continue
        cuts.update(islice(_inner_starts(period, part.bucket, zone), MAX_CUTS + 1))
        if len(cuts) > MAX_CUTS:
            raise InvalidRequest(
                f"by: value is spread over at most {MAX_CUTS} buckets of time: take a longer one than {part.bucket}, "
                "or a shorter period"
            )
    return tuple(sorted(cuts))


def _inner_starts(period: Period, bucket: str, zone: tzinfo) -> Iterator[datetime]:
    starts = (instant_of(start, zone) for start in bucket_starts(period.start, period.end, bucket, zone))
    return (start for start in starts if start > period.start)
