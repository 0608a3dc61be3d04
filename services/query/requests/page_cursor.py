"""Cursors of pages: where the next one begins, whatever is added meanwhile."""

from schemas.api.requests import QueryRequest
from schemas.errors import InvalidRequest
from services.domain.cursor import CURSORS, Cursor, digest_of, encode_cursor, parse_cursor
from services.query.dependencies import Service
from services.query.requests.paging import Page
from services.sql.nodes import Key, Order, key_of
from services.sql.sort import NEWEST_FIRST, OLDEST_FIRST


async def key_behind(body: QueryRequest, order: Order, organization_id: str, service: Service) -> Key | None:
    """Behind which row the page begins; None for the first one. Raises: InvalidRequest, StoreUnavailable."""
    if body.cursor is None:
        return None
    if not _is_in_time(order):
        raise InvalidRequest("cursor: pages have cursors in the order of created_at only; use offset for others")
    if body.offset:
        raise InvalidRequest("cursor: give it without offset")
    cursor = parse_cursor(body.cursor, _digest_of(body), organization_id, await service.secrets.of(CURSORS))
    return Key(cursor.created_at, cursor.request_id)


async def next_cursor(
    page: Page, body: QueryRequest, order: Order, organization_id: str, service: Service
) -> str | None:
    """Where the page behind `page` begins; None where there is none, and in other orders. Raises: StoreUnavailable."""
    if not page.has_more or not page.rows or not _is_in_time(order):
        return None
    key = key_of(page.rows[-1])
    cursor = Cursor(query=_digest_of(body), created_at=key.request_created_at, request_id=key.request_id)
    return encode_cursor(cursor, organization_id, await service.secrets.of(CURSORS))


def _is_in_time(order: Order) -> bool:
    return order in (NEWEST_FIRST, OLDEST_FIRST)


def _digest_of(body: QueryRequest) -> str:
    """Of which requests it is about, and their order. Each page may have a limit of its own, and bodies or not."""
    return digest_of("requests", body.filter, body.time_zone, body.sort, body.is_scored)
