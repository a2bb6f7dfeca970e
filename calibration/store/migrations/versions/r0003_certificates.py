"""Campaigns, states of classes, and the columns by which decisions of a class are found."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision: str | None = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "campaign_records",
        sa.Column("key", sa.String, primary_key=True),
        sa.Column("campaign", sa.String, nullable=False),
        sa.Column("part", sa.String, nullable=False),
        sa.Column("class_name", sa.String, nullable=False),
        sa.Column("log_offset", sa.BigInteger, nullable=False),
        sa.Column("raw", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "class_records",
        sa.Column("log_offset", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("class_name", sa.String, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("raw", sa.LargeBinary, nullable=False),
    )
    op.add_column("signals", sa.Column("audited", sa.Boolean))
    op.create_index("signals_class", "signals", ["class_name", "decided_at"])


def downgrade() -> None:
    op.drop_index("signals_class", "signals")
    op.drop_column("signals", "audited")
    op.drop_table("class_records")
    op.drop_table("campaign_records")
