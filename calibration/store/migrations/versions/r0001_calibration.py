"""Tables of the calibration store."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision: str | None = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    _signals()
    _verdicts()
    _outcomes()
    _published()
    op.create_table(
        "offsets",
        sa.Column("topic", sa.String, primary_key=True),
        sa.Column("log_partition", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("next_offset", sa.BigInteger, nullable=False),
    )


def _signals() -> None:
    op.create_table(
        "signals",
        sa.Column("event_id", sa.String, primary_key=True),
        sa.Column("tenant", sa.String, nullable=False),
        sa.Column("request_id", sa.String, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("domain", sa.String, nullable=False),
        sa.Column("class_name", sa.String, nullable=False),
        sa.Column("answer_type", sa.String, nullable=False),
        sa.Column("open_set", sa.Boolean, nullable=False),
        sa.Column("candidates", sa.Integer, nullable=False),
        sa.Column("panel", sa.String, nullable=False),
        sa.Column("votes", sa.LargeBinary, nullable=False),
        sa.Column("confidences", sa.LargeBinary, nullable=False),
        sa.Column("prompt_hash", sa.String),
        sa.Column("status", sa.String, nullable=False),
        sa.Column("decided_at", sa.BigInteger, nullable=False),
        sa.Column("raw", sa.LargeBinary, nullable=False),
    )
    op.create_index("signals_request", "signals", ["request_id"])
    op.create_table(
        "panels",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("members", sa.Text, nullable=False),
    )


def _verdicts() -> None:
    op.create_table(
        "verdicts",
        sa.Column("log_partition", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("log_offset", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("tenant", sa.String),
        sa.Column("request_id", sa.String),
        sa.Column("version", sa.Integer),
        sa.Column("decided_at", sa.BigInteger),
        sa.Column("raw", sa.LargeBinary),
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sa.Column("chain", sa.LargeBinary, nullable=False),
    )
    op.create_index("verdicts_request", "verdicts", ["request_id"])


def _outcomes() -> None:
    op.create_table(
        "outcomes",
        sa.Column("digest", sa.String, primary_key=True),
        sa.Column("outcome_id", sa.String, nullable=False),
        sa.Column("tenant", sa.String, nullable=False),
        sa.Column("request_id", sa.String, nullable=False),
        sa.Column("source", sa.String, nullable=False),
        sa.Column("propensity", sa.Float),
        sa.Column("observed_at", sa.BigInteger, nullable=False),
        sa.Column("truth", sa.Integer),
        sa.Column("raw", sa.LargeBinary, nullable=False),
    )
    op.create_index("outcomes_request", "outcomes", ["request_id"])
    op.create_table(
        "labels",
        sa.Column("tenant", sa.String, primary_key=True),
        sa.Column("request_id", sa.String, primary_key=True),
        sa.Column("truth", sa.Integer),
        sa.Column("observed_at", sa.BigInteger, nullable=False),
    )


def _published() -> None:
    op.create_table(
        "snapshots",
        sa.Column("version", sa.String, primary_key=True),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("fitted_at", sa.BigInteger, nullable=False),
        sa.Column("labels", sa.Integer, nullable=False),
        sa.Column("log_partition", sa.Integer, nullable=False),
        sa.Column("log_offset", sa.BigInteger, nullable=False),
        sa.Column("raw", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "alarms",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("severity", sa.Integer, nullable=False),
        sa.Column("code", sa.String, nullable=False),
        sa.Column("subject", sa.String, nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
        sa.Column("raised_at", sa.BigInteger, nullable=False),
    )


def downgrade() -> None:
    for table in ("offsets", "alarms", "snapshots", "labels", "outcomes", "verdicts", "panels", "signals"):
        op.drop_table(table)
