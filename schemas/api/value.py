"""Bodies and responses of the HTTP API about value: what users, customers and features earned."""

from typing import Final

from pydantic import Field

from schemas.api.reports import TimeFilter
from schemas.api.requests import UTC_NAME, Body, Envelope, FilterJson, Timestamp, TimeZone, Usd, View
from schemas.api.unions import Number

MAX_ENTRIES: Final = 1000  # of one request
MAX_ID: Final = 128
MAX_SOURCE: Final = 200
API: Final = "api"


class ValueItem(Body):
    """An amount for a time: `period`, or `start` and `end`, or `at`."""

    id: str | None = Field(
        None,
        max_length=MAX_ID,
        description="Yours, such as an invoice's. To give it again corrects the entry. By default the entry is "
        "identified by its user, properties and time",
    )
    amount: Number = Field(description="For the whole time; negative for what was paid back", examples=[120])
    currency: str = Field("USD", description="US dollars are taken, and nothing else", max_length=100)
    user_id: str = Field("", description="As requests name the user", examples=["user-123"])
    properties: dict[str, str] = Field(
        default_factory=dict,
        max_length=16,
        description="As requests have them, ignoring the case of names: a customer, a feature, a tier",
        examples=[{"UserTier": "premium"}],
    )
    period: str | None = Field(None, description="A year, quarter, month or day: 2026, 2026-Q4, 2026-11, 2026-11-21")
    start: str | None = Field(None, description="ISO 8601; from this timestamp on. A date is its midnight")
    end: str | None = Field(None, description="ISO 8601; before this timestamp")
    at: str | None = Field(None, description="ISO 8601; a single time, to the millisecond")


class ValueRequest(Body):
    values: list[ValueItem] = Field(min_length=1, max_length=MAX_ENTRIES)
    source: str = Field(
        API, min_length=1, max_length=MAX_SOURCE, description="Where it comes from, for whoever asks later"
    )
    time_zone: TimeZone = UTC_NAME


class ValueTaken(View):
    """What became of the entries of a request."""

    created: int
    corrected: int = Field(description="Of an id that was there, with something else")
    unchanged: int = Field(description="As they were given before")
    ids: list[str] = Field(description="In the order of the request")


class ValueQuery(Body):
    filter: FilterJson = "all"
    time_filter: TimeFilter | None = Field(None, description="Entries with a part in it; by default of all times")
    time_zone: TimeZone = UTC_NAME
    limit: int = Field(100, strict=True, ge=1, le=1000)
    offset: int = Field(0, strict=True, ge=0, le=2**53)


class ValueView(View):
    """An entry, or a version of one."""

    id: str
    amount: Usd = Field(description="For the whole time")
    currency: str = "USD"
    user_id: str
    properties: dict[str, str]
    start: Timestamp
    end: Timestamp
    source: str
    given_at: Timestamp = Field(description="When this version was given")
    key_id: str = Field(description="Of the key that gave it")


class ValuePage(Envelope[list[ValueView]]):
    total_rows: int = Field(description="How many there are, on all pages")
    has_more: bool = Field(description="There are more behind this page: ask again with a higher `offset`")


class ValueVersion(ValueView):
    is_deleted: bool = Field(description="With this version the entry was deleted")


class ValueDeleted(View):
    deleted: str = Field(description="The entry's id")
