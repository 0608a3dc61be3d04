"""Bodies of requests into JSON values, bounded before anything looks at them closely.

What is large is parsed in a thread, so that other requests go on meanwhile; how much of it is in work at once is
bounded, in all and for each organization.
"""

import asyncio
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any, Final

import msgspec

from schemas.errors import Busy, InvalidRequest, TooLarge
from schemas.undecodable import UNDECODABLE
from services.sql.values import shown

MAX_BODY_BYTES: Final = 2**20  # the longest filter that is accepted has 65,536 characters of at most 12 bytes each
MAX_VALUES: Final = 8192  # objects, lists and commas: a filter has at most 1024 nodes, a list of ids 1000
_MAX_TEXTS: Final = 2 * MAX_VALUES + 1  # a name and a value at each
SMALL_BYTES: Final = 32 * 2**10  # parsed within a millisecond, where it arrives
MAX_HELD_BYTES: Final = 32 * 2**20  # of bodies that are not small
MAX_OF_ONE_BYTES: Final = 2 * 2**20  # of those, of one organization

_decoder = msgspec.json.Decoder(float_hook=Decimal)


def check_size(size_bytes: int) -> None:
    """Raises: TooLarge."""
    if size_bytes > MAX_BODY_BYTES:
        raise TooLarge(f"the body has more than {MAX_BODY_BYTES:,} bytes")


def parse_body(body: bytes) -> Any:
    """JSON values, with fractions as Decimal.

    Raises: InvalidRequest for what is not JSON in UTF-8, is nested beyond reason, holds more than `MAX_VALUES`, or has
    a name twice in one object.
    """
    _check_count(body)
    try:
        decoded = _decoder.decode(body)
        _duplicate_finder.decode(body.decode())
    except UNDECODABLE as error:
        raise InvalidRequest(f"the body is not JSON that can be read: {error}") from error
    return decoded


def _check_count(body: bytes) -> None:
    """Before anything is made of them: hundreds of thousands of values take seconds to make."""
    if _marks(body) > MAX_VALUES:
        rest, texts = _TEXT.subn(b"", body, _MAX_TEXTS + 1)
        if texts > _MAX_TEXTS or _marks(rest) > MAX_VALUES:
            raise InvalidRequest(f"the body has more than {MAX_VALUES} values")


def _marks(body: bytes) -> int:
    return sum(map(body.count, (b",", b"[", b"{")))


# It matches from any quotation mark on, to the end of an open text too, so that no byte is looked at twice.
_TEXT: Final = re.compile(rb'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)', re.DOTALL)


def _check_names(pairs: list[tuple[str, object]]) -> None:
    """Of two values under one name a decoder keeps the last: the other would be dropped without a word."""
    if len(dict(pairs)) < len(pairs):
        ((name, _),) = Counter(name for name, _ in pairs).most_common(1)
        raise InvalidRequest(f"the body has a name twice in one object: {shown(name)}")


# Of what was decoded before, so it meets no other fault. Numbers stay texts: none is too long.
_duplicate_finder = json.JSONDecoder(object_pairs_hook=_check_names, parse_int=str, parse_float=str)


class BodySpace:
    """How many bytes of large bodies are in work, by organization."""

    def __init__(self) -> None:
        self._held: Counter[str] = Counter()

    @contextmanager
    def share(self, organization_id: str) -> Iterator[Callable[[int], None]]:
        """What is to be called with the size of a body as it grows; it raises Busy when there is no space for it."""
        held_bytes = 0

        def hold(size_bytes: int) -> None:
            nonlocal held_bytes
            more = size_bytes - held_bytes
            if size_bytes <= SMALL_BYTES or more <= 0:
                return
            if self._held[organization_id] + more > MAX_OF_ONE_BYTES:
                raise Busy("too many large bodies of this organization are being read; try again")
            if self._held.total() + more > MAX_HELD_BYTES:
                raise Busy("too many large bodies are being read; try again")
            self._held[organization_id] += more
            held_bytes = size_bytes

        try:
            yield hold
        finally:
            self._held[organization_id] -= held_bytes
            self._held += Counter()  # forgets who holds nothing


async def parse_apart(body: bytes) -> Any:
    """As `parse_body`, and what is large in a thread."""
    return parse_body(body) if len(body) <= SMALL_BYTES else await asyncio.to_thread(parse_body, body)
