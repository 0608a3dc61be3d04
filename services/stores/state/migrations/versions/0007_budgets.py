"""Budgets, and which of their thresholds were reported."""

from typing import Final

import sqlalchemy as sa
from alembic import op

revision: Final = "0007"
down_revision: Final = "0006"


def upgrade() -> None:
    op.create_table(
        "budget",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("organization_id", sa.String, nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("definition", sa.Text, nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.UniqueConstraint("organization_id", "name", name="budget_name"),
    )
    op.create_table(
        "budget_notice",
        sa.Column("notice_id", sa.String(64), primary_key=True),
        sa.Column("budget_id", sa.String(36), nullable=False, index=True),
    )
