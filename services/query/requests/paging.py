"""Pages of rows, found where they probably are before they are looked for everywhere."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

import msgspec

from schemas.errors import InvalidRequest, QueryLimitExceeded, Unavailable
from schemas.tables import Operator
from services.ports.warehouse import QueryableWarehouse, Row, Warehouse
from services.sql.compile import compile_candidates, compile_count, compile_listing
from services.sql.nodes import And, Behind, Compare, Filter, Key, Listing, Not, Or, comparison
from services.sql.scope import bounds_of, is_narrow, searches_bodies
from services.sql.sort import NEWEST_FIRST, OLDEST_FIRST

NEAR = 10_000  # rows from one end of the table
RECENT: Final = timedelta(days=7)  # whose rows fill most pages of the newest
_MOST_CONDITIONS: Final = 16  # of a filter that is worth planning twice
_SPARSE: Final = frozenset({"user_id", "session_id"})  # of one of which a week seldom has a page


class Page(msgspec.Struct, frozen=True, kw_only=True):
    rows: Sequence[Row]
    has_more: bool  # there are rows behind it
    total_rows: int | None  # on all pages; None where they were not counted


async def page_of(listing: Listing, warehouse: Warehouse, behind: Key | None = None) -> Page:
    """The rows of `listing`, and how many there are without its limit; with `behind` those that follow it.

    They are counted while the page is looked for. A page that is the only one counts itself, so where it probably is,
    and where counting would read bodies, nothing is counted before it is known. Raises: StoreUnavailable.
    """
    one_more = msgspec.structs.replace(rows_behind(listing, behind), limit=listing.limit + 1)
    searches = searches_bodies(listing.where)
    if searches or is_narrow(listing.where):
        rows, total = await rows_of(one_more, warehouse), None
    else:
        rows, total = await asyncio.gather(rows_of(one_more, warehouse), _count(listing, warehouse))
    has_more = len(rows) > listing.limit
    if not has_more and behind is None and (rows or not listing.offset):
        total = listing.offset + len(rows)
    elif total is None and not searches:
        total = await _count(listing, warehouse)
    return Page(rows=rows[: listing.limit], has_more=has_more, total_rows=total)


def rows_behind(listing: Listing, key: Key | None) -> Listing:
    """`listing`, which is in an order of time, without the rows up to `key`."""
    if key is None:
        return listing
    behind = Behind(key, listing.order_by.descending)
    return msgspec.structs.replace(listing, where=And((listing.where, behind)))


async def _count(listing: Listing, warehouse: Warehouse) -> int | None:
    """None where that takes long, and while the warehouse is too busy: the page itself is worth more."""
    try:
        (counted,) = await warehouse.query(compile_count(listing))
    except (Unavailable, QueryLimitExceeded):
        return None
    return int(counted["total_rows"])


async def rows_of(listing: Listing, warehouse: QueryableWarehouse) -> Sequence[Row]:
    """The rows of `listing`. Raises: StoreUnavailable.

    FINAL over a whole organization to show its newest hundred rows would be slow. In an order of time it is enough to
    settle the versions of the first few that fulfil the filter, unless so many are outdated that the page is not full.
    """
    wanted = listing.offset + listing.limit
    if listing.order_by not in (NEWEST_FIRST, OLDEST_FIRST) or wanted > NEAR:
        return await warehouse.query(compile_listing(listing))
    near = near_looks(listing)
    try:
        statements = [compile_listing(look) for look in near]
    except InvalidRequest:  # it has the filter twice, and a statement has no room for two long ones
        return await warehouse.query(compile_listing(listing))
    for statement in statements:
        rows = await warehouse.query(statement)
        if len(rows) == listing.limit:
            return rows
    (found,) = await warehouse.query(compile_candidates(near[-1]))
    return rows if found["candidates"] < 2 * wanted else await warehouse.query(compile_listing(listing))


def near_looks(listing: Listing) -> Sequence[Listing]:
    """Where a page of `listing` probably is: at its end of all rows, and before that in the last week if it may do.

    Of a year, a week is a few parts of the table, which are planned, opened and read in half the time. Every row of
    that week comes before all others of the page, so that a full page of it is the page.
    """
    near = msgspec.structs.replace(listing, reach=2 * (listing.offset + listing.limit))
    start, end = bounds_of(listing.shown)
    is_short = start is not None and end is not None and end - start <= RECENT
    is_long = _conditions(listing.where) > _MOST_CONDITIONS
    if not listing.order_by.descending or end is None or is_short or is_long or _is_sparse(listing.where):
        return (near,)
    since = comparison("request_created_at", Operator.GTE, end - RECENT)
    return msgspec.structs.replace(near, where=And((near.where, since))), near


def _conditions(where: Filter) -> int:
    match where:
        case And(terms) | Or(terms):
            return sum(map(_conditions, terms))
        case Not(term):
            return _conditions(term)
        case _:
            return 1


def _is_sparse(where: Filter) -> bool:
    """Whether it names rows that lie far apart, so that a look at a few days would be in vain."""
    match where:
        case And(terms):
            return any(map(_is_sparse, terms))
        case Compare(column=column, operator=operator):
            return operator is Operator.EQUALS and column.sql in _SPARSE
        case _:
            return False
