"""Channels, the notices that go through them, each delivery with its attempts, and scheduled reports."""

from typing import Final

import sqlalchemy as sa
from alembic import op

revision: Final = "0006"
down_revision: Final = "0005"

_TIMESTAMP: Final = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "channel",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("organization_id", sa.String, nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("config", sa.Text, nullable=False),
        sa.Column("secret", sa.Text, nullable=False),
        sa.Column("created_at", _TIMESTAMP, nullable=False),
        sa.Column("created_by", sa.String, nullable=False),
        sa.UniqueConstraint("organization_id", "name"),
    )
    op.create_table(
        "notice",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("organization_id", sa.String, nullable=False),
        sa.Column("source_id", sa.String, nullable=False),
        sa.Column("incident_id", sa.String(64), nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("created_at", _TIMESTAMP, nullable=False),
    )
    op.create_index("notice_source", "notice", ["organization_id", "source_id"])
    _create_deliveries()
    op.create_table(
        "scheduled_report",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("organization_id", sa.String, nullable=False, index=True),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("created_at", _TIMESTAMP, nullable=False),
        sa.Column("created_by", sa.String, nullable=False),
        sa.Column("next_at", _TIMESTAMP, nullable=False, index=True),
        sa.Column("last_at", _TIMESTAMP),
        sa.Column("error", sa.Text, nullable=False),
    )


def _create_deliveries() -> None:
    op.create_table(
        "delivery",
        sa.Column("notice_id", sa.String(64), primary_key=True),
        sa.Column("channel_id", sa.String(36), primary_key=True),
        sa.Column("organization_id", sa.String, nullable=False),
        sa.Column("incident_id", sa.String(64), nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("created_at", _TIMESTAMP, nullable=False),
        sa.Column("due_at", _TIMESTAMP),
        sa.Column("ended_at", _TIMESTAMP),
    )
    op.create_index("delivery_due", "delivery", ["due_at"])
    op.create_index("delivery_incident", "delivery", ["channel_id", "incident_id"])
    op.create_index("delivery_latest", "delivery", ["organization_id", "channel_id", "created_at"])
    op.create_table(
        "delivery_attempt",
        sa.Column("notice_id", sa.String(64), primary_key=True),
        sa.Column("channel_id", sa.String(36), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("at", _TIMESTAMP, nullable=False),
        sa.Column("outcome", sa.String, nullable=False),
        sa.Column("status", sa.Integer),
        sa.Column("duration_ms", sa.Integer),
        sa.Column("error", sa.Text, nullable=False),
    )
