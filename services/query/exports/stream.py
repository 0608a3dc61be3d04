"""Batches into the bytes of a response: head, rows, checkpoints, end. One batch is held at a time."""

import asyncio
from collections.abc import AsyncIterator, Callable

from schemas.api.exports import Checkpoint, ExportState
from services.query.exports.batches import Batch
from services.query.exports.formats import Writer
from services.sql.nodes import Key

CursorOf = Callable[[Key, int], str]  # from the request up to which all is written, and the rows so far


async def export_stream(
    batches: AsyncIterator[Batch],
    writer: Writer,
    cursor_of: CursorOf,
    *,
    rows_before: int = 0,
    limit: int | None = None,
) -> AsyncIterator[bytes]:
    """What `writer` makes of `batches`, which hold no more rows than `limit`.

    When it fails, what came out ends without the last checkpoint. Raises: StoreUnavailable, Busy.
    """
    count = rows_before
    part = writer.head()
    last: Key | None = None
    async for batch in batches:
        if last is not None:
            part += writer.checkpoint(Checkpoint(rows=count, cursor=cursor_of(last, count), state=ExportState.MORE))
        if part:
            yield part
        part = await asyncio.to_thread(writer.rows, batch.rows)
        count += len(batch.rows)
        last = batch.after
    is_full = limit is not None and count - rows_before >= limit
    if last is not None and is_full:
        ending = Checkpoint(rows=count, cursor=cursor_of(last, count), state=ExportState.LIMIT)
    else:
        ending = Checkpoint(rows=count, cursor=None, state=ExportState.END)
    yield part + await asyncio.to_thread(writer.end, ending)
