"""Pages of rows, found where they probably are before they are looked for everywhere."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from services.ports import Warehouse
from services.sql.compile import compile_candidates, compile_listing
from services.sql.nodes import Listing
from services.sql.sort import NEWEST_FIRST, OLDEST_FIRST

NEAR = 10_000  # rows from one end of the table


async def page_of(listing: Listing, warehouse: Warehouse) -> Sequence[Mapping[str, Any]]:
    """The rows of `listing`. Raises: StoreUnavailable.

    FINAL over a whole organization to show its newest hundred rows would be slow. In an order of time it is enough to
    settle the versions of the first few that fulfil the filter, unless so many are outdated that the page is not full.
    """
    wanted = listing.offset + listing.limit
    if listing.order_by not in (NEWEST_FIRST, OLDEST_FIRST) or wanted > NEAR:
        return await warehouse.query(compile_listing(listing))
    near = msgspec.structs.replace(listing, reach=2 * wanted)
    rows = await warehouse.query(compile_listing(near))
    if len(rows) == listing.limit:
        return rows
    (found,) = await warehouse.query(compile_candidates(near))
    return rows if found["candidates"] < 2 * wanted else await warehouse.query(compile_listing(listing))
