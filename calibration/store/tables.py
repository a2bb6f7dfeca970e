"""Tables of the calibration store: what was decided, what later proved right, and how far the topics have been read.

Every table is a function of the *set* of records on the topics, never of their order of arrival, so that replaying the
topics into an empty store gives the same rows.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, Boolean, Column, Float, Index, Integer, LargeBinary, String, Table, Text
from sqlalchemy.types import TypeDecorator

from calibration.store.engine import metadata

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


class UtcTime(TypeDecorator[datetime]):
    """An aware time as whole microseconds since 1970 UTC: SQLite would drop the zone, and floats the last digits."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Any) -> int | None:
        return None if value is None else (value - EPOCH) // MICROSECOND

    def process_result_value(self, value: int | None, dialect: Any) -> datetime | None:
        return None if value is None else EPOCH + value * MICROSECOND


signals = Table(
    "signals",
    metadata,
    Column("event_id", String, primary_key=True),
    Column("tenant", String, nullable=False),
    Column("request_id", String, nullable=False),
    Column("version", Integer, nullable=False),
    Column("domain", String, nullable=False),
    Column("class_name", String, nullable=False),
    Column("answer_type", String, nullable=False),
    Column("open_set", Boolean, nullable=False),
    Column("candidates", Integer, nullable=False),
    Column("panel", String, nullable=False),  # panels.id: who the entries of the next two columns are
    Column("votes", LargeBinary, nullable=False),  # int16 little-endian, one per member; see calibration.ballots
    Column("confidences", LargeBinary, nullable=False),  # float64 little-endian, one per member, NaN where none
    Column("prompt_hash", String),
    Column("status", String, nullable=False),
    Column("decided_at", UtcTime, nullable=False),
    Column("raw", LargeBinary, nullable=False),
    Column("audited", Boolean),  # drawn for a blind audit before anyone saw it
    Index("signals_request", "request_id"),
    Index("signals_class", "class_name", "decided_at"),
)

panels = Table(
    "panels",
    metadata,
    Column("id", String, primary_key=True),  # hash of the members
    Column("members", Text, nullable=False),  # JSON [[model, family, version, source], …]
)

verdicts = Table(
    "verdicts",
    metadata,
    Column("log_partition", Integer, primary_key=True, autoincrement=False),
    Column("log_offset", BigInteger, primary_key=True, autoincrement=False),
    Column("tenant", String),  # null, like the next two, where the record could not be read
    Column("request_id", String),
    Column("version", Integer),
    Column("decided_at", UtcTime),
    Column("raw", LargeBinary),  # null after an erasure: the chain rests on the digest
    Column("digest", LargeBinary, nullable=False),
    Column("chain", LargeBinary, nullable=False),
    Index("verdicts_request", "request_id"),
)

outcomes = Table(
    "outcomes",
    metadata,
    Column("digest", String, primary_key=True),  # of the whole message: a repeat is the same row, a correction another
    Column("outcome_id", String, nullable=False),
    Column("tenant", String, nullable=False),
    Column("request_id", String, nullable=False),
    Column("source", String, nullable=False),
    Column("propensity", Float),
    Column("observed_at", UtcTime, nullable=False),
    Column("truth", Integer),  # candidate, NONE_OF_THESE or UNUSABLE; null until the signal is there
    Column("raw", LargeBinary, nullable=False),
    Index("outcomes_request", "request_id"),
)

labels = Table(
    "labels",
    metadata,
    Column("tenant", String, primary_key=True),
    Column("request_id", String, primary_key=True),
    Column("truth", Integer),  # null when the sources contradict one another
    Column("observed_at", UtcTime, nullable=False),
)

snapshots = Table(
    "snapshots",
    metadata,
    Column("version", String, primary_key=True),
    Column("name", String, nullable=False),
    Column("fitted_at", UtcTime, nullable=False),
    Column("labels", Integer, nullable=False),
    Column("log_partition", Integer, nullable=False),
    Column("log_offset", BigInteger, nullable=False),  # of its latest publication: a rollback publishes it again
    Column("raw", LargeBinary, nullable=False),
)

rollbacks = Table(
    "rollbacks",
    metadata,
    Column("log_partition", Integer, primary_key=True, autoincrement=False),  # of the snapshots topic
    Column("log_offset", BigInteger, primary_key=True, autoincrement=False),
    Column("name", String, nullable=False),
    Column("version", String, nullable=False),  # the snapshot that was published again
    Column("instead_of", String),  # the one that was in use
    Column("by", String, nullable=False),
    Column("reason", Text, nullable=False),
    Column("at", UtcTime, nullable=False),
)

campaign_records = Table(
    "campaign_records",
    metadata,
    Column("key", String, primary_key=True),  # of the snapshots topic
    Column("campaign", String, nullable=False),
    Column("part", String, nullable=False),  # definition, missing or end
    Column("class_name", String, nullable=False),
    Column("log_offset", BigInteger, nullable=False),
    Column("raw", LargeBinary, nullable=False),
)

class_records = Table(
    "class_records",
    metadata,
    Column("log_offset", BigInteger, primary_key=True, autoincrement=False),  # the snapshots topic has one partition
    Column("class_name", String, nullable=False),
    Column("state", String, nullable=False),  # held, suspended or revoked
    Column("at", UtcTime, nullable=False),
    Column("raw", LargeBinary, nullable=False),
)

offsets = Table(
    "offsets",
    metadata,
    Column("topic", String, primary_key=True),
    Column("log_partition", Integer, primary_key=True, autoincrement=False),
    Column("next_offset", BigInteger, nullable=False),
)

alarms = Table(
    "alarms",
    metadata,
    Column("id", String, primary_key=True),  # hash of code and cause: the same finding is one alarm
    Column("severity", Integer, nullable=False),
    Column("code", String, nullable=False),
    Column("subject", String, nullable=False),
    Column("detail", Text, nullable=False),
    Column("raised_at", UtcTime, nullable=False),
)
