"""API keys, prices, releases, re-pricings, leases, secrets, hidden properties and progress on the event log."""

from typing import Final

import sqlalchemy as sa
from alembic import op

revision: Final = "0001"
down_revision: Final = None

_TIMESTAMP: Final = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "api_key",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("organization_id", sa.String, nullable=False),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("permission", sa.String, nullable=False),
        sa.Column("created_at", _TIMESTAMP, nullable=False),
        sa.Column("created_by", sa.String, nullable=False),
        sa.Column("expires_at", _TIMESTAMP),
        sa.Column("revoked_at", _TIMESTAMP),
        sa.Column("revoked_by", sa.String, nullable=False),
        sa.Column("last_used_at", _TIMESTAMP),
        sa.Column("tags", sa.Text),
    )
    _create_prices()
    _create_reprice()
    op.create_table(
        "lease",
        sa.Column("name", sa.String, primary_key=True),
        sa.Column("holder", sa.String, nullable=False),
        sa.Column("until", _TIMESTAMP, nullable=False),
    )
    op.create_table(
        "deployment_secret",
        sa.Column("name", sa.String, primary_key=True),
        sa.Column("value", sa.String, nullable=False),
    )
    op.create_table(
        "hidden_property",
        sa.Column("organization_id", sa.String, primary_key=True),
        sa.Column("property_key", sa.String, primary_key=True),
    )
    _create_progress()


def _create_prices() -> None:
    op.create_table(
        "operator_price",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("organization_id", sa.String, nullable=False),
        sa.Column("provider", sa.String, nullable=False),
        sa.Column("model", sa.String, nullable=False),
        sa.Column("tier", sa.String, nullable=False),
        sa.Column("rates", sa.Text, nullable=False),
        sa.Column("usd_per_request", sa.String, nullable=False),
        sa.Column("valid_from", _TIMESTAMP, nullable=False),
        sa.Column("valid_until", _TIMESTAMP),
        sa.Column("effective_for_events_since", _TIMESTAMP, nullable=False),
    )
    op.create_table(
        "operator_price_end",
        sa.Column("price_id", sa.String(36), primary_key=True),
        sa.Column("at", _TIMESTAMP, primary_key=True),
        sa.Column("effective_for_events_since", _TIMESTAMP, nullable=False),
    )
    op.create_table(
        "pricing_release",
        sa.Column("release", sa.String, primary_key=True),
        sa.Column("active_until", _TIMESTAMP, nullable=False),
    )


def _create_reprice() -> None:
    op.create_table(
        "reprice",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("organization_id", sa.String, nullable=False),
        sa.Column("model", sa.String, nullable=False),
        sa.Column("provider", sa.String, nullable=False),
        sa.Column("since", _TIMESTAMP, nullable=False),
        sa.Column("until", _TIMESTAMP, nullable=False),
        sa.Column("dry_run", sa.Boolean, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("started_at", _TIMESTAMP, nullable=False),
        sa.Column("rows_total", sa.Integer, nullable=False),
        sa.Column("rows_done", sa.Integer, nullable=False),
        sa.Column("result", sa.Text),
        sa.Column("error", sa.Text, nullable=False),
        sa.Column("ended_at", _TIMESTAMP),
        sa.Column("undone_at", _TIMESTAMP),
    )


def _create_progress() -> None:
    op.create_table(
        "log_progress",
        sa.Column("partition", sa.String, primary_key=True),
        sa.Column("complete_until", _TIMESTAMP, nullable=False),
    )
    op.create_table(
        "log_member",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("place", sa.String, nullable=False),
        sa.Column("heard_at", _TIMESTAMP, nullable=False),
        sa.Column("held_events", sa.Integer, nullable=False),
        sa.Column("held_since", _TIMESTAMP),
    )
