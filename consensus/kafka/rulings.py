"""Records of the rulings topic: to the partition that their task names, then into the ledger and out as a version."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Sequence

from consensus import logs, wire
from consensus.errors import DeadLetter, Malformed
from consensus.kafka.dead_letters import dead_letter
from consensus.kafka.messages import Incoming, Outgoing, decision_records, outcome_record, within
from consensus.kafka.publication import Outcome, Publication
from consensus.kafka.requests import Oversized
from consensus.kafka.topics import Topics
from consensus.ledger import Ledger, Version
from consensus.ledger.rulings import Arrived, Effect, Recorded
from consensus.patience import patiently
from consensus.ruling import checked, decisive, next_version, outcome_of
from consensus.types import ReviewTask, Ruling, Verdict


class RulingSteps:
    """Steps of the rulings topic (publication.Steps), shared by all its partitions in this process."""

    def __init__(self, topics: Topics, ledger: Ledger, partitions: Callable[[], int], *, max_record_bytes: int) -> None:
        """``partitions`` gives the number of partitions of the rulings topic."""
        self._topics = topics
        self._ledger = ledger
        self._partitions = partitions
        self._max_record_bytes = max_record_bytes
        self._last: dict[int, asyncio.Task[Publication]] = {}

    async def admit(self, wanted: int) -> int:
        return wanted

    async def take(self, records: Sequence[Incoming], admitted: int) -> list[asyncio.Task[Publication]]:
        """Rulings are settled one after the other: the order in which they came decides which is the first."""
        tasks = []
        for record in records:
            before = self._last.get(record.partition)
            task = asyncio.create_task(self._after(before, record), name="ruling")
            self._last[record.partition] = task
            tasks.append(task)
        return tasks

    def leave(self, admitted: int) -> None:
        """Rulings are admitted without a bound of their own."""

    async def freshen(self, publications: Sequence[Publication]) -> list[Publication]:
        return list(publications)

    async def refuse(self, record: Incoming) -> Publication:
        error = Oversized("what the ruling leads to is larger than the broker takes")
        return Publication(Outcome.DEAD, (dead_letter(self._topics, record, error),), code=error.code)

    async def _after(self, before: asyncio.Task[Publication] | None, record: Incoming) -> Publication:
        if before is not None:
            await asyncio.wait([before])
        try:
            return await self._handled(record)
        except DeadLetter as error:
            return Publication(Outcome.DEAD, (dead_letter(self._topics, record, error),), code=error.code)

    async def _handled(self, record: Incoming) -> Publication:
        """Raises DeadLetter."""
        value = within(record, self._max_record_bytes) or b""
        ruling = wire.read(Ruling, value)
        logs.about(ruling.tenant, ruling.request_id, record.headers)
        home = self._home(ruling)
        if home != record.partition:
            moved = Outgoing(record.topic, home, ruling.request_id.encode(), value, record.headers)
            return Publication(Outcome.MOVED, (moved,))
        digest = hashlib.sha256(value).hexdigest()
        arrived = Arrived(ruling.tenant, ruling.request_id, digest, record.partition, record.offset, value)
        rule = Rule(ruling)
        recorded = await patiently(lambda: self._ledger.rulings.settle(arrived, rule), "recording a ruling")
        return self._published(record, ruling, recorded)

    def _home(self, ruling: Ruling) -> int:
        """The partition in a task id ``<partition>:<hash>``. Raises Malformed."""
        number, _, rest = ruling.task_id.partition(":")
        if not (number.isascii() and number.isdigit() and rest) or int(number) >= self._partitions():
            raise Malformed("names no partition of ours", field="task_id", code="unknown_task")
        return int(number)

    def _published(self, record: Incoming, ruling: Ruling, recorded: Recorded) -> Publication:
        """What the ruling led to, published by the record that brought it first and by its redeliveries only."""
        arrived, effect = recorded.arrived, recorded.effect
        if (arrived.partition, arrived.offset) != (record.partition, record.offset):
            return Publication(Outcome.NOTED)
        if effect.version is not None:
            outputs = decision_records(self._topics, record.partition, effect.version, record.headers)
            return Publication(Outcome.RULED, outputs, effect.version.version_key)
        if effect.outcome is not None:
            output = outcome_record(self._topics, ruling.request_id, effect.outcome, record.headers)
            return Publication(Outcome.RULED, (output,))
        return Publication(Outcome.NOTED)


class Rule:
    """What one ruling changes, given everything that is stored on its request (ledger.rulings.Rule)."""

    def __init__(self, ruling: Ruling) -> None:
        self._ruling = ruling

    def __call__(self, versions: Sequence[Version], recorded: Sequence[Recorded]) -> Effect:
        """Raises Malformed when the request or the task is unknown, or the answer is not of the task's spec."""
        task, first, latest = self._subject(versions)
        ruling = checked(task, self._ruling)
        if any(known.effect != Effect() for known in recorded):
            return Effect()
        earlier = [checked(task, wire.read_own(Ruling, known.arrived.ruling)) for known in recorded]
        if not decisive(task, earlier, ruling):
            return Effect()
        following = next_version(task.answer, latest, ruling)
        outcome = outcome_of(first, ruling)
        outcome_bytes = wire.write(outcome) if outcome is not None else None
        if following is None:
            return Effect(outcome=outcome_bytes)
        number = following.version
        version = Version(ruling.tenant, ruling.request_id, number, wire.write(following), outcome=outcome_bytes)
        return Effect(version, outcome_bytes)

    def _subject(self, versions: Sequence[Version]) -> tuple[ReviewTask, Verdict, Verdict]:
        if not versions or versions[0].review is None:
            raise Malformed("nobody asked for a ruling on this request", field="request_id", code="unknown_task")
        task = wire.read_own(ReviewTask, versions[0].review)
        return task, wire.read_own(Verdict, versions[0].verdict), wire.read_own(Verdict, versions[-1].verdict)
