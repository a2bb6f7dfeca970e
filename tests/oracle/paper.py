"""A run of the service on paper: the records, rows and calls that a faultless worker would leave behind."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import arbiters
from calibration.store import chain
from calibration.store.chain import Link
from consensus import wire
from consensus.kafka.deciding import version_of
from consensus.kafka.dump import Dumped
from consensus.kafka.offsets import Position
from consensus.kafka.topics import Topics
from consensus.ledger import Version
from consensus.models import Member
from consensus.models.protocol import Budget, MemoryLog, Model, Prompt
from consensus.pipeline import Resources, decide
from consensus.ruling import next_version, outcome_of
from consensus.settings import Settings
from consensus.settings.load import parse
from consensus.testing.evidence import Call, Evidence
from consensus.types import Answer, Request, ReviewTask, Ruling, RulingDecision, Verdict
from tests.models_fake import member, says

TOPICS = Topics()
PARTITIONS = 2
NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)

SETTINGS: Settings = parse(
    {
        "kafka": {"partitions": PARTITIONS},
        "models": {
            name: {"model": f"openai/{name}", "family": f"family-{name}", "price_in": 1, "price_out": 1}
            for name in ("a", "b", "c", "d")
        },
        "arbiters": {"chief": {"model": "d"}},
        "panels": {"main": {"models": ["a", "b", "c"], "quorum": 2, "min_families": 2}},
        "policies": {
            "default": {"panel": "main", "accept_uncertified": "unanimous", "audit_rate": 0.0, "deadline_ms": 60_000},
            "argued": {"panel": "main", "arbiters": ["chief"], "audit_rate": 0.0, "applies_to": [{"domain": "argued"}]},
        },
    },
    {},
)
"""Three models of three families; unanimous answers at low stakes are accepted, everything else goes to people.

Disputes of the domain ``argued`` go to an arbiter first.
"""


@dataclass(frozen=True)
class Overheard:
    """A model whose calls are written down on the provider's side."""

    model: Model
    name: str
    calls: list[Call]

    async def ask(self, prompt: Prompt, *, deadline: float, budget: Budget) -> Answer:
        self.calls.append(Call(self.name, prompt.headers["x-request-id"]))
        return await self.model.ask(prompt, deadline=deadline, budget=budget)


@dataclass
class Paper:
    """Writes down what happens, in order; `evidence` hands it over."""

    records: dict[str, list[Dumped]] = field(default_factory=dict)
    versions: list[Version] = field(default_factory=list)
    effects: dict[tuple[int, int], int] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)
    numbers: itertools.count[int] = field(default_factory=itertools.count)

    async def decided(self, request: Request, *, says_b: object = "A", partition: int = 0) -> Version:
        """A request is asked, decided and published; ``says_b`` is member b's answer, an error where it fails."""
        asked = self.asked(request, partition)
        replies = {"a": says("A"), "b": says_b if isinstance(says_b, Exception) else says(says_b), "c": says("A")}
        members = {name: self._overheard(name, reply) for name, reply in {**replies, "d": "unsure"}.items()}
        rules = Resources(
            members,
            SETTINGS.panel_policies(),
            SETTINGS.policy_policies(),
            arbiters.build(SETTINGS.arbiter_policies(), members),
            clock=lambda: NOW,
        )
        log = MemoryLog()
        decision = await decide(request, rules, log=log, place=str(partition))
        version = replace(version_of(decision, asked.value, log.answers), committed=True)
        self.versions.append(version)
        self.published(version, asked)
        return version

    def asked(self, request: Request, partition: int = 0) -> Dumped:
        """A record of the requests topic."""
        return self.write("requests", partition, request.id.encode(), wire.write(request), self._mark())

    def published(self, version: Version, source: Dumped) -> None:
        """A version with all that belongs to it, as the answer to ``source``."""
        key, headers, partition = version.request_id.encode(), source.headers, source.partition
        self.write("verdicts", partition, key, version.verdict, headers)
        for noun, value in (("signals", version.signal), ("reviews", version.review), ("outcomes", version.outcome)):
            if value is not None:
                self.write(noun, partition, key, value, headers)

    def repeated(self, version: Version, partition: int = 0) -> None:
        """Another record with the same id and payload, answered by the same verdict."""
        source = self.write("requests", partition, version.request_id.encode(), version.request, self._mark())
        self.write("verdicts", partition, version.request_id.encode(), version.verdict, source.headers)

    def refused(self, source: Dumped, code: str = "malformed") -> None:
        """A dead letter."""
        added = {"source-topic": source.topic, "source-partition": source.partition, "source-offset": source.offset}
        headers = {name: str(value).encode() for name, value in {"error-code": code, **added}.items()}
        self.write("dead_letters", 0, source.key, source.value, {**source.headers, **headers})

    def ruled(self, version: Version) -> None:
        """A person answers A to a pending request: version 2 and an outcome."""
        assert version.review is not None
        task, first = wire.read(ReviewTask, version.review), wire.read(Verdict, version.verdict)
        ruling = Ruling(
            task_id=task.task_id,
            request_id=task.request_id,
            reviewer="r",
            decision=RulingDecision.ANSWER,
            answer="A",
            blind=True,
            decided_at=NOW,
        )
        partition = int(task.task_id.partition(":")[0])
        source = self.write("rulings", partition, version.request_id.encode(), wire.write(ruling), self._mark())
        second, outcome = next_version(task.answer, first, ruling), outcome_of(first, ruling)
        assert second is not None
        assert outcome is not None
        made = Version(*version.key, second.version, wire.write(second), outcome=wire.write(outcome), committed=True)
        self.versions.append(made)
        self.effects[partition, source.offset] = made.version
        self.published(made, source)

    def write(
        self, noun: str, partition: int, key: bytes | None, value: bytes | None, headers: dict[str, bytes] | object
    ) -> Dumped:
        """Append a record; offsets have gaps, as transaction markers leave them."""
        records = self.records.setdefault(noun, [])
        offset = 2 * sum(record.partition == partition for record in records)
        assert isinstance(headers, dict)
        record = Dumped(TOPICS.named(noun), partition, offset, key, value, headers, 0)
        records.append(record)
        return record

    def evidence(self) -> Evidence:
        """The run at rest, with every input committed and every verdict chained."""
        inputs = [(TOPICS.named(noun), number) for noun in ("requests", "rulings") for number in range(PARTITIONS)]
        positions = {place: Position(1_000) for place in inputs}
        return Evidence(TOPICS, self.records, positions, self.versions, self.effects, {}, self.calls, self._links())

    def _links(self) -> dict[int, Sequence[Link]]:
        return {
            number: linked([record for record in self.records.get("verdicts", ()) if record.partition == number])
            for number in range(PARTITIONS)
        }

    def _overheard(self, name: str, reply: object) -> Member:
        made = member(name, reply)
        return replace(made, model=Overheard(made.model, name, self.calls))

    def _mark(self) -> dict[str, bytes]:
        return {"schema-version": b"1", "x-record": str(next(self.numbers)).encode()}


def linked(records: Sequence[Dumped]) -> list[Link]:
    """The chain over one partition."""
    links, head = [], None
    for record in records:
        digest = hashlib.sha256(record.value or b"").digest()
        head = chain.step(head or chain.genesis(record.partition), record.offset, digest)
        links.append(Link(record.offset, digest, head, record.value))
    return links
