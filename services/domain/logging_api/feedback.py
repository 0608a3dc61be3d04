"""The rating of a response, as Helicone's older clients send it to the address of the proxy."""

from typing import Final
from uuid import UUID

import msgspec

from schemas.errors import InvalidRequest

FEEDBACK_PATH: Final = "/v1/feedback"


class Rating(msgspec.Struct, frozen=True):
    request_id: str  # UUID
    is_good: bool


class _Sent(msgspec.Struct, rename={"request_id": "helicone-id", "is_thumbs_up": "is-thumbs-up"}):
    request_id: UUID
    rating: bool | None = None
    is_thumbs_up: bool | None = None  # its first name


def parse_rating(payload: bytes | bytearray) -> Rating:
    """Raises: InvalidRequest."""
    try:
        sent = msgspec.json.decode(payload, type=_Sent)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise InvalidRequest(f"the body is no feedback: {error}") from error
    is_good = sent.is_thumbs_up if sent.rating is None else sent.rating
    if is_good is None:
        raise InvalidRequest("the body is no feedback: rating, true or false, is missing")
    return Rating(str(sent.request_id), is_good)
