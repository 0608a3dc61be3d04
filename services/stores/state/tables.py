"""The tables of the state database, as the newest revision in `migrations/versions` leaves them."""

from typing import Final

from sqlalchemy import (
    Boolean,
    Column,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from services.stores.state.utc_datetime import UtcDateTime

METADATA: Final = MetaData()

API_KEY: Final = Table(
    "api_key",
    METADATA,
    Column("id", String(36), primary_key=True),
    Column("organization_id", String, nullable=False),
    Column("name", String, nullable=False),
    Column("permission", String, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("created_by", String, nullable=False),
    Column("expires_at", UtcDateTime),
    Column("revoked_at", UtcDateTime),
    Column("revoked_by", String, nullable=False),
    Column("last_used_at", UtcDateTime),
    Column("tags", Text),  # JSON; none for most keys
)
API_KEY_SECRET: Final = Table(
    "api_key_secret",
    METADATA,
    Column("id", String(36), primary_key=True),
    Column("key_id", String(36), nullable=False, index=True),
    Column("hint", String(4), nullable=False),
    Column("secret_hash", String(64), nullable=False, unique=True),
    Column("created_at", UtcDateTime, nullable=False),
    Column("created_by", String, nullable=False),
    Column("valid_until", UtcDateTime),  # none for the newest of a key
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
HIDDEN_PROPERTY: Final = Table(
    "hidden_property",
    METADATA,
    Column("organization_id", String, primary_key=True),
    Column("property_key", String, primary_key=True),  # lower case
)
NAMED_UPSTREAM: Final = Table(
    "named_upstream",
    METADATA,
    Column("organization_id", String, primary_key=True),
    Column("name", String(64), primary_key=True),  # lower case
    Column("provider", String, nullable=False),
    Column("url", String, nullable=False),
    Column("region", String, nullable=False),
    Column("credentials", String, nullable=False),
    Column("private", Boolean, nullable=False),
    Column("key_ids", Text, nullable=False),  # JSON
)
PROVIDER_KEY: Final = Table(
    "provider_key",
    METADATA,
    Column("organization_id", String, primary_key=True),
    Column("upstream", String(64), primary_key=True),  # its name
    Column("secret", Text, nullable=False),  # encrypted
)
BUDGET: Final = Table(
    "budget",
    METADATA,
    Column("id", String(36), primary_key=True),
    Column("organization_id", String, nullable=False),
    Column("name", String(100), nullable=False),
    Column("definition", Text, nullable=False),  # JSON, with amounts as text: digit for digit
    Column("changed_at", UtcDateTime, nullable=False),
    UniqueConstraint("organization_id", "name", name="budget_name"),
)
BUDGET_NOTICE: Final = Table(
    "budget_notice",
    METADATA,
    Column("notice_id", String(64), primary_key=True),
    Column("budget_id", String(36), nullable=False, index=True),
)
LOG_PROGRESS: Final = Table(
    "log_progress",
    METADATA,
    Column("partition", String, primary_key=True),
    Column("complete_until", UtcDateTime, nullable=False),
)
LOG_MEMBER: Final = Table(
    "log_member",
    METADATA,
    Column("id", String(36), primary_key=True),
    Column("kind", String, nullable=False),
    Column("place", String, nullable=False),
    Column("heard_at", UtcDateTime, nullable=False),
    Column("held_events", Integer, nullable=False),
    Column("held_since", UtcDateTime),
)
ALERT: Final = Table(
    "alert",
    METADATA,
    Column("id", String(36), primary_key=True),
    Column("organization_id", String, nullable=False, index=True),
    Column("name", String(200), nullable=False),
    Column("rule", Text, nullable=False),  # JSON, with amounts digit for digit
    Column("channel_ids", Text, nullable=False),  # JSON
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    Column("active_since", UtcDateTime, nullable=False),
    Column("muted_until", UtcDateTime),
    Column("deleted_at", UtcDateTime),
)
ALERT_PROGRESS: Final = Table(
    "alert_progress",
    METADATA,
    Column("alert_id", String(36), primary_key=True),
    Column("turn", Integer, nullable=False),
    Column("evaluated_until", UtcDateTime),
    Column("raised_until", UtcDateTime),
    Column("looked_back_at", UtcDateTime),
    Column("told_groups", Text, nullable=False),  # JSON
    Column("told_channels", Text, nullable=False),  # JSON
    Column("summary_at", UtcDateTime),
    Column("state", String, nullable=False),
)
ALERT_GROUP: Final = Table(
    "alert_group",
    METADATA,
    Column("alert_id", String(36), primary_key=True),
    Column("key_hash", String(64), primary_key=True),  # a key may be longer than an index takes
    Column("group_key", Text, nullable=False),
    Column("state", Text, nullable=False),  # JSON
)
ALERT_EVALUATION: Final = Table(
    "alert_evaluation",
    METADATA,
    Column("alert_id", String(36), primary_key=True),
    Column("turn", Integer, primary_key=True),
    Column("body", Text, nullable=False),  # JSON
)
ALERT_EPISODE: Final = Table(
    "alert_episode",
    METADATA,
    Column("id", String(36), primary_key=True),
    Column("alert_id", String(36), nullable=False),
    Column("organization_id", String, nullable=False),
    Column("alert_name", String(200), nullable=False),
    Column("metric", String, nullable=False),
    Column("state", String, nullable=False),
    Column("value", String),  # an amount, digit for digit
    Column("started_at", UtcDateTime, nullable=False),
    Column("ended_at", UtcDateTime),
    Index("alert_episode_started", "organization_id", "started_at"),
)
SCHEDULER_MARK: Final = Table(
    "scheduler_mark",
    METADATA,
    Column("name", String, primary_key=True),
    Column("at", UtcDateTime, nullable=False),
)
CHANNEL: Final = Table(
    "channel",
    METADATA,
    Column("id", String(36), primary_key=True),
    Column("organization_id", String, nullable=False),
    Column("name", String(100), nullable=False),
    Column("kind", String, nullable=False),
    Column("config", Text, nullable=False),  # JSON; what may be shown
    Column("secret", Text, nullable=False),  # encrypted JSON; '' for none
    Column("created_at", UtcDateTime, nullable=False),
    Column("created_by", String, nullable=False),
    UniqueConstraint("organization_id", "name"),
)
NOTICE: Final = Table(
    "notice",
    METADATA,
    Column("id", String(64), primary_key=True),
    Column("organization_id", String, nullable=False),
    Column("source_id", String, nullable=False),  # of the alert, budget or scheduled report
    Column("incident_id", String(64), nullable=False),
    Column("body", Text, nullable=False),  # JSON, with amounts as text: digit for digit
    Column("created_at", UtcDateTime, nullable=False),
    Index("notice_source", "organization_id", "source_id"),
)
DELIVERY: Final = Table(
    "delivery",
    METADATA,
    Column("notice_id", String(64), primary_key=True),
    Column("channel_id", String(36), primary_key=True),
    Column("organization_id", String, nullable=False),
    Column("incident_id", String(64), nullable=False),  # as its notice has it: those of one go out in order
    Column("state", String, nullable=False),
    Column("attempts", Integer, nullable=False),  # begun
    Column("created_at", UtcDateTime, nullable=False),
    Column("due_at", UtcDateTime),  # of the next attempt, or when one that runs counts as killed; none at the end
    Column("ended_at", UtcDateTime),
    Index("delivery_due", "due_at"),
    Index("delivery_incident", "channel_id", "incident_id"),
    Index("delivery_latest", "organization_id", "channel_id", "created_at"),
)
DELIVERY_ATTEMPT: Final = Table(
    "delivery_attempt",
    METADATA,
    Column("notice_id", String(64), primary_key=True),
    Column("channel_id", String(36), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("at", UtcDateTime, nullable=False),
    Column("outcome", String, nullable=False),
    Column("status", Integer),  # of HTTP or SMTP; none where nothing answered
    Column("duration_ms", Integer),
    Column("error", Text, nullable=False),
)
SCHEDULED_REPORT: Final = Table(
    "scheduled_report",
    METADATA,
    Column("id", String(36), primary_key=True),
    Column("organization_id", String, nullable=False, index=True),
    Column("name", String(100), nullable=False),
    Column("body", Text, nullable=False),  # JSON
    Column("created_at", UtcDateTime, nullable=False),
    Column("created_by", String, nullable=False),
    Column("next_at", UtcDateTime, nullable=False, index=True),
    Column("last_at", UtcDateTime),
    Column("error", Text, nullable=False),
)
