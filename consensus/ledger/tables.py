"""Tables of the ledger, on the store's metadata: who works on what, what was already paid for, what was decided.

`claims` says which record of the requests topic owns an id. `answers` holds paid answers until their decision is
committed. `decisions` holds the exact bytes of every version of a verdict and of what is published with it, stored
before the Kafka transaction, so that whatever is redelivered publishes the same again. `policies` keeps every policy
that ever decided, `erasures` the requests whose texts must not come back when the topics are read again.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, LargeBinary, String, Table, Text, text

from calibration.store.engine import metadata
from calibration.store.tables import UtcTime

claims = Table(
    "ledger_claims",
    metadata,
    Column("tenant", String, primary_key=True),
    Column("request_id", String, primary_key=True),
    Column("payload_hash", String, nullable=False),
    Column("log_partition", Integer, nullable=False),  # of the requests topic: the record that owns the id
    Column("log_offset", BigInteger, nullable=False),
    Column("run", String),  # the process deciding it; null once decided, closed or given up cleanly
    Column("finishing", String),  # the process that gave its partition up but finishes the calls it has begun
    Column("crashes", Integer, nullable=False),  # unclean ends of a process while it was deciding this
    Column("closed", Boolean, nullable=False),  # its record became a dead letter: the next record takes the id over
    Column("claimed_at", UtcTime, nullable=False),
    Index("ledger_claims_age", "claimed_at"),
    Index(
        "ledger_claims_open",
        "run",
        sqlite_where=text("run IS NOT NULL"),
        postgresql_where=text("run IS NOT NULL"),
    ),
)

answers = Table(
    "ledger_answers",
    metadata,
    Column("tenant", String, primary_key=True),
    Column("request_id", String, primary_key=True),
    Column("payload_hash", String, primary_key=True),  # an id may change hands after a dead letter
    Column("call", String, primary_key=True),  # panel:<model>, arbiter:<name>:…, judge:…
    Column("answer", LargeBinary, nullable=False),  # JSON of types.Answer
)

decisions = Table(
    "ledger_decisions",
    metadata,
    Column("tenant", String, primary_key=True),
    Column("request_id", String, primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("verdict", LargeBinary, nullable=False),
    Column("signal", LargeBinary),
    Column("review", LargeBinary),
    Column("outcome", LargeBinary),
    Column("request", LargeBinary),  # the record's value; null for versions made by a ruling
    Column("answers", LargeBinary),  # JSON {call: types.Answer}: everything that was paid for
    Column("stored_at", UtcTime, nullable=False),
    Column("committed_at", UtcTime),  # null until its Kafka transaction is known to be committed
)

rulings = Table(
    "ledger_rulings",
    metadata,
    Column("tenant", String, primary_key=True),
    Column("request_id", String, primary_key=True),
    Column("digest", String, primary_key=True),  # of the record's value: the same ruling twice is one
    Column("log_partition", Integer, nullable=False),  # of the rulings topic
    Column("log_offset", BigInteger, nullable=False),
    Column("ruling", LargeBinary, nullable=False),
    Column("version", Integer),  # the version of the verdict it produced
    Column("outcome", LargeBinary),
    Column("recorded_at", UtcTime, nullable=False),
)

runs = Table(
    "ledger_runs",
    metadata,
    Column("run", String, primary_key=True),
    Column("beat", BigInteger, nullable=False),  # grows while the process finishes calls of partitions it gave up
    Column("seen_at", UtcTime, nullable=False),
)

gates = Table(
    "ledger_gates",
    metadata,
    Column("name", String, primary_key=True),  # group and input partition
    Column("recent", Text, nullable=False),  # one character per record, newest last: x dead letter, . anything else
    Column("run", Integer, nullable=False),  # dead letters in a row
)

policies = Table(
    "ledger_policies",
    metadata,
    Column("version", String, primary_key=True),  # content hash
    Column("policy", LargeBinary, nullable=False),  # JSON of policy.Policy
    Column("stored_at", UtcTime, nullable=False),
)

erasures = Table(
    "ledger_erasures",
    metadata,
    Column("id", String, primary_key=True),  # SHA-256 of tenant and request id: the ids themselves are forgotten
    Column("truths", Text, nullable=False),  # JSON {digest of an outcome: its truth}: what had been learned stays
    Column("erased_at", UtcTime, nullable=False),
)
