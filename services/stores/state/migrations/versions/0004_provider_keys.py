"""Providers' keys that an operator stored for upstreams."""

from typing import Final

import sqlalchemy as sa
from alembic import op

revision: Final = "0004"
down_revision: Final = "0003"


def upgrade() -> None:
    op.create_table(
        "provider_key",
        sa.Column("organization_id", sa.String, primary_key=True),
        sa.Column("upstream", sa.String(64), primary_key=True),
        sa.Column("secret", sa.Text, nullable=False),
    )
