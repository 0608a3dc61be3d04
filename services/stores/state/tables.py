"""The tables of the state database, as the newest revision in `migrations/versions` leaves them."""

from datetime import UTC, datetime
from typing import Final

from sqlalchemy import Boolean, Column, DateTime, Dialect, Integer, MetaData, String, Table, Text
from sqlalchemy.types import TypeDecorator


class UtcDateTime(TypeDecorator[datetime]):
    """Aware UTC in and out, also where the database keeps no zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


METADATA: Final = MetaData()

API_KEY: Final = Table(
    "api_key",
    METADATA,
    Column("id", String(36), primary_key=True),
    Column("organization_id", String, nullable=False),
    Column("name", String, nullable=False),
    Column("permission", String, nullable=False),
    Column("hint", String(4), nullable=False),
    Column("secret_hash", String(64), nullable=False, unique=True),
    Column("created_at", UtcDateTime, nullable=False),
    Column("revoked_at", UtcDateTime),
)
OPERATOR_PRICE: Final = Table(
    "operator_price",
    METADATA,
    Column("id", String(36), primary_key=True),
    Column("organization_id", String, nullable=False),
    Column("provider", String, nullable=False),
    Column("model", String, nullable=False),
    Column("tier", String, nullable=False),
    Column("rates", Text, nullable=False),  # JSON, with amounts as text: digit for digit
    Column("usd_per_request", String, nullable=False),
    Column("valid_from", UtcDateTime, nullable=False),
    Column("valid_until", UtcDateTime),
    Column("effective_for_events_since", UtcDateTime, nullable=False),
)
OPERATOR_PRICE_END: Final = Table(
    "operator_price_end",
    METADATA,
    Column("price_id", String(36), primary_key=True),
    Column("at", UtcDateTime, primary_key=True),
    Column("effective_for_events_since", UtcDateTime, nullable=False),
)
PRICING_RELEASE: Final = Table(
    "pricing_release",
    METADATA,
    Column("release", String, primary_key=True),
    Column("active_until", UtcDateTime, nullable=False),
)
REPRICE: Final = Table(
    "reprice",
    METADATA,
    Column("id", String(36), primary_key=True),
    Column("organization_id", String, nullable=False),
    Column("model", String, nullable=False),
    Column("provider", String, nullable=False),
    Column("since", UtcDateTime, nullable=False),
    Column("until", UtcDateTime, nullable=False),
    Column("dry_run", Boolean, nullable=False),
    Column("state", String, nullable=False),
    Column("started_at", UtcDateTime, nullable=False),
    Column("rows_total", Integer, nullable=False),
    Column("rows_done", Integer, nullable=False),
    Column("result", Text),  # JSON, with amounts as text: digit for digit
    Column("error", Text, nullable=False),
    Column("ended_at", UtcDateTime),
    Column("undone_at", UtcDateTime),
)
LEASE: Final = Table(
    "lease",
    METADATA,
    Column("name", String, primary_key=True),
    Column("holder", String, nullable=False),
    Column("until", UtcDateTime, nullable=False),
)
DEPLOYMENT_SECRET: Final = Table(
    "deployment_secret",
    METADATA,
    Column("name", String, primary_key=True),
    Column("value", String, nullable=False),
)
