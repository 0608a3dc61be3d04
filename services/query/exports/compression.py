"""A stream in the encoding that its client accepts."""

import zlib
from collections.abc import AsyncIterator
from typing import Final

from services.zstd import zstd

_GZIP_WINDOW: Final = 31  # bits, with gzip's own head and end
_LEVEL: Final = 3


def encoding_of(accept_encoding: str) -> str | None:
    """`zstd` or `gzip`, where the header allows one of them; zstd before gzip."""
    offers = [offer.strip().partition(";") for offer in accept_encoding.lower().split(",")]
    accepted = {name.strip() for name, _, weight in offers if weight.replace(" ", "") not in ("q=0", "q=0.0")}
    return next((name for name in ("zstd", "gzip") if name in accepted), None)


async def compressed(parts: AsyncIterator[bytes], encoding: str) -> AsyncIterator[bytes]:
    """Each part can be read as soon as it came: what a client has had of a broken stream is whole lines.

    Without its end the stream is no valid one, so a client sees that it was cut off.
    """
    if encoding == "zstd":
        frame = zstd.ZstdCompressor(level=_LEVEL)
        async for part in parts:
            yield frame.compress(part, zstd.ZstdCompressor.FLUSH_BLOCK)
        yield frame.flush(zstd.ZstdCompressor.FLUSH_FRAME)
        return
    packed = zlib.compressobj(_LEVEL, wbits=_GZIP_WINDOW)
    async for part in parts:
        yield packed.compress(part) + packed.flush(zlib.Z_SYNC_FLUSH)
    yield packed.flush()
