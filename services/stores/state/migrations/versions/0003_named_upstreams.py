"""Upstreams that an operator added by name."""

from typing import Final

import sqlalchemy as sa
from alembic import op

revision: Final = "0003"
down_revision: Final = "0002"


def upgrade() -> None:
    op.create_table(
        "named_upstream",
        sa.Column("organization_id", sa.String, primary_key=True),
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("provider", sa.String, nullable=False),
        sa.Column("url", sa.String, nullable=False),
        sa.Column("region", sa.String, nullable=False),
        sa.Column("credentials", sa.String, nullable=False),
        sa.Column("private", sa.Boolean, nullable=False),
        sa.Column("key_ids", sa.Text, nullable=False),
    )
