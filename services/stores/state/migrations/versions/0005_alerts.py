"""Alerts, how they and their groups stand, their evaluations, when they fired, and when all were evaluated."""

from typing import Final

import sqlalchemy as sa
from alembic import op

revision: Final = "0005"
down_revision: Final = "0004"

_TIMESTAMP: Final = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "alert",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("organization_id", sa.String, nullable=False, index=True),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("rule", sa.Text, nullable=False),
        sa.Column("channel_ids", sa.Text, nullable=False),
        sa.Column("created_at", _TIMESTAMP, nullable=False),
        sa.Column("updated_at", _TIMESTAMP, nullable=False),
        sa.Column("active_since", _TIMESTAMP, nullable=False),
        sa.Column("muted_until", _TIMESTAMP),
        sa.Column("deleted_at", _TIMESTAMP),
    )
    _create_states()
    op.create_table(
        "alert_evaluation",
        sa.Column("alert_id", sa.String(36), primary_key=True),
        sa.Column("turn", sa.Integer, primary_key=True),
        sa.Column("body", sa.Text, nullable=False),
    )
    op.create_table(
        "alert_episode",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("alert_id", sa.String(36), nullable=False),
        sa.Column("organization_id", sa.String, nullable=False),
        sa.Column("alert_name", sa.String(200), nullable=False),
        sa.Column("metric", sa.String, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("value", sa.String),
        sa.Column("started_at", _TIMESTAMP, nullable=False),
        sa.Column("ended_at", _TIMESTAMP),
    )
    op.create_index("alert_episode_started", "alert_episode", ["organization_id", "started_at"])


def _create_states() -> None:
    op.create_table(
        "alert_progress",
        sa.Column("alert_id", sa.String(36), primary_key=True),
        sa.Column("turn", sa.Integer, nullable=False),
        sa.Column("evaluated_until", _TIMESTAMP),
        sa.Column("raised_until", _TIMESTAMP),
        sa.Column("looked_back_at", _TIMESTAMP),
        sa.Column("told_groups", sa.Text, nullable=False),
        sa.Column("told_channels", sa.Text, nullable=False),
        sa.Column("summary_at", _TIMESTAMP),
        sa.Column("state", sa.String, nullable=False),
    )
    op.create_table(
        "alert_group",
        sa.Column("alert_id", sa.String(36), primary_key=True),
        sa.Column("key_hash", sa.String(64), primary_key=True),
        sa.Column("group_key", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
    )
    op.create_table(
        "scheduler_mark",
        sa.Column("name", sa.String, primary_key=True),
        sa.Column("at", _TIMESTAMP, nullable=False),
    )
