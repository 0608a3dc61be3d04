"""The body of an export, and the checkpoints in its response."""

from enum import StrEnum
from typing import Literal

from pydantic import Field, StrictBool

from schemas.api.reports import TimeFilter
from schemas.api.requests import UTC_NAME, Body, FilterJson, TimeZone, View


class ExportFormat(StrEnum):
    CSV = "csv"
    JSONL = "jsonl"
    PARQUET = "parquet"
    FOCUS = "focus"


class ExportRequest(Body):
    format: ExportFormat = Field(
        description="`csv`, `jsonl` and `parquet` have a row for each request. `focus` is CSV with a row for each "
        "charge, as the FinOps Open Cost and Usage Specification 1.4 has it"
    )
    filter: FilterJson = "all"
    time_filter: TimeFilter | None = Field(None, description="By default all requests until now")
    time_zone: TimeZone = UTC_NAME
    columns: list[str] | None = Field(
        None,
        min_length=1,
        max_length=128,
        description="Names of columns as in filters, and `properties.NAME`; by default all that say anything, but "
        "`request_body` and `response_body`, which are to be named",
        examples=[["request_created_at", "model", "properties.Feature", "cost_usd"]],
    )
    charge_period: Literal["hour", "day"] = Field("day", description="Of `focus`: charges of so long are added up")
    limit: int | None = Field(
        None, strict=True, ge=1, description="How many rows this response has at most; by default all that there are"
    )
    checkpoints: StrictBool = Field(
        False,
        description="With a line that holds a cursor after some thousand rows and at the end. A Parquet file has its "
        "one checkpoint in its metadata",
    )
    cursor: str | None = Field(
        None, description="Of a checkpoint: the export goes on behind it, with all fields but `limit` as they were"
    )


class ExportState(StrEnum):
    """How an export goes on behind a checkpoint."""

    MORE = "more"  # in this response
    LIMIT = "limit"  # in the next one: this one has as many rows as it may
    END = "end"


class Checkpoint(View):
    """What stands before it is whole. An export without its last checkpoint was interrupted."""

    rows: int = Field(description="Since the start of the export, in all its parts")
    cursor: str | None = Field(description="From which it goes on; null at its end")
    state: ExportState
