"""What stands beside the data of a response: its seal, warnings, and what there is besides a page."""

from typing import TypeVar

from pydantic import Field

from schemas.api.requests import Envelope, NameWarning
from schemas.api.seal import SealView

T = TypeVar("T")


class SealedEnvelope(Envelope[T]):
    """Helicone's envelope, and the seal of its data."""

    seal: SealView


class CheckedEnvelope(Envelope[T]):
    """Around what is kept and used later: a misspelled name would leave it without effect for good."""

    warnings: list[NameWarning] = Field(description="Of names that were never seen")


class WarnedEnvelope(SealedEnvelope[T]):
    warnings: list[NameWarning] = Field(description="Of names that were never seen")


class PageEnvelope(WarnedEnvelope[T]):
    """Around one page of all that fulfil a filter."""

    total_rows: int | None = Field(
        description="How many there are, on all pages. Null where the filter searches bodies and has more than this "
        "page, where counting takes over two seconds, or while the warehouse is too busy to count"
    )
    has_more: bool = Field(description="There are more behind this page: ask again with `next_cursor` as `cursor`")
    next_cursor: str | None = Field(
        description="Where the next page begins, in the order of `created_at`. Null on the last page, and in other "
        "orders: those have an `offset`"
    )
