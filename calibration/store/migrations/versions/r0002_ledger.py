"""Tables of the ledger: claims, paid answers, decisions, rulings."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision: str | None = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _claims()
    _decisions()
    _rulings()
    op.create_table(
        "ledger_runs",
        sa.Column("run", sa.String, primary_key=True),
        sa.Column("beat", sa.BigInteger, nullable=False),
        sa.Column("seen_at", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "ledger_gates",
        sa.Column("name", sa.String, primary_key=True),
        sa.Column("recent", sa.Text, nullable=False),
        sa.Column("run", sa.Integer, nullable=False),
    )


def _claims() -> None:
    op.create_table(
        "ledger_claims",
        sa.Column("tenant", sa.String, primary_key=True),
        sa.Column("request_id", sa.String, primary_key=True),
        sa.Column("payload_hash", sa.String, nullable=False),
        sa.Column("log_partition", sa.Integer, nullable=False),
        sa.Column("log_offset", sa.BigInteger, nullable=False),
        sa.Column("run", sa.String),
        sa.Column("finishing", sa.String),
        sa.Column("crashes", sa.Integer, nullable=False),
        sa.Column("closed", sa.Boolean, nullable=False),
        sa.Column("claimed_at", sa.BigInteger, nullable=False),
    )
    op.create_index("ledger_claims_age", "ledger_claims", ["claimed_at"])
    running = sa.text("run IS NOT NULL")
    op.create_index("ledger_claims_open", "ledger_claims", ["run"], sqlite_where=running, postgresql_where=running)


def _decisions() -> None:
    op.create_table(
        "ledger_answers",
        sa.Column("tenant", sa.String, primary_key=True),
        sa.Column("request_id", sa.String, primary_key=True),
        sa.Column("payload_hash", sa.String, primary_key=True),
        sa.Column("call", sa.String, primary_key=True),
        sa.Column("answer", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "ledger_decisions",
        sa.Column("tenant", sa.String, primary_key=True),
        sa.Column("request_id", sa.String, primary_key=True),
        sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("verdict", sa.LargeBinary, nullable=False),
        sa.Column("signal", sa.LargeBinary),
        sa.Column("review", sa.LargeBinary),
        sa.Column("outcome", sa.LargeBinary),
        sa.Column("request", sa.LargeBinary),
        sa.Column("answers", sa.LargeBinary),
        sa.Column("stored_at", sa.BigInteger, nullable=False),
        sa.Column("committed_at", sa.BigInteger),
    )


def _rulings() -> None:
    op.create_table(
        "ledger_rulings",
        sa.Column("tenant", sa.String, primary_key=True),
        sa.Column("request_id", sa.String, primary_key=True),
        sa.Column("digest", sa.String, primary_key=True),
        sa.Column("log_partition", sa.Integer, nullable=False),
        sa.Column("log_offset", sa.BigInteger, nullable=False),
        sa.Column("ruling", sa.LargeBinary, nullable=False),
        sa.Column("version", sa.Integer),
        sa.Column("outcome", sa.LargeBinary),
        sa.Column("recorded_at", sa.BigInteger, nullable=False),
    )


def downgrade() -> None:
    for table in ("gates", "runs", "rulings", "decisions", "answers", "claims"):
        op.drop_table(f"ledger_{table}")
