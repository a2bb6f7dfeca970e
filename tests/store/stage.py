"""Decisions of the simulated world in a store, as worker and ingestion leave them, without a broker."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncEngine

from calibration.snapshot import Snapshot
from calibration.store import offsets
from consensus import wire
from consensus.errors import BrokerUnavailable
from consensus.kafka.deciding import version_of
from consensus.kafka.ingest import Ingest
from consensus.kafka.intake import Record
from consensus.kafka.messages import Outgoing
from consensus.kafka.topics import Topics
from consensus.ledger.decisions import Decisions, Version
from consensus.ledger.transactions import Transactions
from consensus.pipeline import decide
from consensus.policy import Policy
from consensus.types import AuditDraw, Decision, Outcome, OutcomeSource, Request, ReviewTask
from tests import simulated_world as world

TOPICS = Topics()
NOW = datetime(2026, 2, 1, tzinfo=UTC)


async def _nobody(_versions: Sequence[tuple[str, str, int]]) -> None:
    """Nothing is marked."""


@dataclass
class Stage:
    """The topics as lists of records; ``away``: the broker does not answer. Decisions are ingested by `flush`."""

    engine: AsyncEngine
    records: list[Record] = field(default_factory=list)
    sent: list[Outgoing] = field(default_factory=list)
    away: bool = False
    clock: float = 0.0
    now: datetime = NOW
    models: frozenset[str] | None = None
    _fed: int = 0
    _versions: list[Version] = field(default_factory=list)

    def put(self, topic: str, value: bytes | None, key: str, partition: int = 0) -> None:
        """Append a record to a topic."""
        offset = sum((record.topic, record.partition) == (topic, partition) for record in self.records)
        self.records.append(Record(topic, partition, offset, key.encode(), value, 0))

    async def flush(self) -> None:
        """Store what was decided and ingest what was put since the last time."""
        transactions = Transactions(self.engine, 10)
        if self._versions:
            async with transactions.begin("storing") as connection:
                await Decisions(transactions).insert(connection, self._versions)
            self._versions.clear()
        if self.records[self._fed :]:
            await feed(self.engine, self.records[self._fed :], self.models)
            self._fed = len(self.records)

    # ---- what campaigns publish with

    async def publish(self, snapshot: Snapshot) -> None:
        await self.record(snapshot.name, snapshot.to_json())

    async def record(self, key: str, value: bytes) -> None:
        if self.away:
            raise BrokerUnavailable("away")
        self.put(TOPICS.snapshots, value, key)
        await self.flush()

    async def send(self, record: Outgoing) -> None:
        if self.away:
            raise BrokerUnavailable("away")
        self.sent.append(record)

    @property
    def tasks(self) -> list[ReviewTask]:
        """Tasks in the order in which they were sent."""
        return [wire.read(ReviewTask, record.value) for record in self.sent]

    # ---- what workers and people do

    async def decided(
        self, request: Request, rules: Policy, snapshot: Snapshot | None, *, partition: int = 0, drawn: bool = False
    ) -> Decision:
        """Decide a request; `flush` keeps the decision in the ledger and ingests what is published."""
        resources = world.resources(rules, snapshots=lambda _cls: snapshot, clock=lambda: self.now)
        made = await decide(request, resources, place=str(partition))
        assert made.signal is not None
        if drawn:
            audit = AuditDraw(selected=True, propensity=0.1)
            made = made.model_copy(update={"signal": made.signal.model_copy(update={"audit": audit})})
        assert made.signal is not None
        self._versions.append(version_of(made, wire.write(request), {}))
        self.put(TOPICS.verdicts, wire.write(made.verdict), request.id, partition)
        self.put(TOPICS.signals, wire.write(made.signal), request.id, partition)
        self.now += timedelta(seconds=1)
        return made

    def told(self, request_id: str, label: str | None, source: str = "audit") -> None:
        """Ground truth on a request, ingested by `flush`."""
        outcome = Outcome(
            outcome_id=f"{source}-{request_id}",
            request_id=request_id,
            label=label,
            source=OutcomeSource(source),
            observed_at=self.now,
        )
        self.put(TOPICS.outcomes, wire.write(outcome), request_id)


async def feed(engine: AsyncEngine, records: Sequence[Record], models: frozenset[str] | None = None) -> None:
    """Ingest records from wherever the store stands."""
    into = Ingest(Transactions(engine, 10), TOPICS, _nobody, models)
    async with engine.connect() as connection:
        stored = await offsets.read(connection)
    places = {(record.topic, record.partition) for record in records}
    await into.store(records, {place: stored.get(place) for place in places})
