"""Records of the requests topic: read, claim, decide or repeat, else a dead letter."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from consensus import logs, wire
from consensus.errors import Conflict, DeadLetter, Fenced, Poison
from consensus.kafka.dead_letters import dead_letter
from consensus.kafka.deciding import Deciding, Job, Result
from consensus.kafka.elsewhere import Elsewhere
from consensus.kafka.messages import Incoming, decision_records, read_request, repeat_record
from consensus.kafka.publication import Outcome, Publication
from consensus.kafka.slots import Slots
from consensus.kafka.topics import Topics
from consensus.ledger import Asked, Claim, Ledger, Standing, Version
from consensus.patience import patiently

READ_BESIDE_BYTES = 100_000

TO_DECIDE = (Standing.NEW, Standing.MINE)


class Oversized(DeadLetter):
    """What the record leads to is larger than the broker takes."""

    code = "oversized"


class RequestSteps:
    """Steps of the requests topic (publication.Steps), shared by all its partitions in this process."""

    def __init__(
        self,
        topics: Topics,
        ledger: Ledger,
        slots: Slots,
        deciding: Deciding,
        elsewhere: Elsewhere,
        *,
        max_record_bytes: int,
    ) -> None:
        self._topics = topics
        self._ledger = ledger
        self._slots = slots
        self._deciding = deciding
        self._elsewhere = elsewhere
        self._max_record_bytes = max_record_bytes

    async def admit(self, wanted: int) -> int:
        return await self._slots.take(wanted)

    async def take(self, records: Sequence[Incoming], admitted: int) -> list[asyncio.Task[Publication]]:
        """One claim for all of them; each record that is not decided gives its slot back."""
        read = await self._read_all(records)
        standings = iter(await self._claim([one for one in read if isinstance(one, Job)]))
        tasks = []
        for one in read:
            if isinstance(one, Publication):
                tasks.append(asyncio.create_task(_ready(one), name="request"))
                continue
            standing, claim = next(standings)
            begun = None
            if standing in TO_DECIDE:
                admitted -= 1
                begun = self._deciding.begin(one, fresh=standing is Standing.NEW)
            tasks.append(asyncio.create_task(self._follow(one, standing, claim, begun), name="request"))
        self._slots.give(admitted)
        return tasks

    def leave(self, admitted: int) -> None:
        self._slots.give(admitted)

    async def freshen(self, publications: Sequence[Publication]) -> list[Publication]:
        """Repeats get the newest version that is stored, so that no reader sees a version after a higher one."""
        keys = {pub.version[:2] for pub in publications if pub.outcome is Outcome.REPEATED and pub.version}
        if not keys:
            return list(publications)
        newest = await self._ledger.decisions.latest(keys)
        return [self._newest(publication, newest) for publication in publications]

    async def refuse(self, record: Incoming) -> Publication:
        """The stored decision is withdrawn, so that the id is free again."""
        read = self._read(record)
        if isinstance(read, Job):
            await self._ledger.claims.close(read.asked)
        return self._dead(record, Oversized("the verdict or what goes with it is larger than the broker takes"))

    async def _read_all(self, records: Sequence[Incoming]) -> list[Job | Publication]:
        """Large records are read beside the event loop: checking a megabyte takes longer than a heartbeat may wait."""
        if sum(len(record.value or b"") for record in records) > READ_BESIDE_BYTES:
            return await asyncio.to_thread(lambda: [self._read(record) for record in records])
        return [self._read(record) for record in records]

    def _read(self, record: Incoming) -> Job | Publication:
        try:
            request = read_request(record, self._max_record_bytes)
        except DeadLetter as error:
            return self._dead(record, error)
        payload = wire.payload_hash(request)
        return Job(record, request, Asked(request.tenant, request.id, payload, record.partition, record.offset))

    async def _claim(self, jobs: Sequence[Job]) -> list[tuple[Standing, Claim]]:
        if not jobs:
            return []
        return await self._ledger.claims.claim([job.asked for job in jobs], now=datetime.now(UTC))

    async def _follow(
        self, job: Job, standing: Standing, claim: Claim, begun: asyncio.Task[Result] | None
    ) -> Publication:
        """From a standing to what is published for the record; waits as long as it takes. Raises Fenced."""
        logs.about(job.asked.tenant, job.asked.request_id, job.record.headers)
        while True:
            result: Result = None
            if begun is not None:
                result = await asyncio.shield(begun)
            elif standing is Standing.CONFLICT:
                result = Conflict("the id is taken by a request with another payload", field="id")
            elif standing is Standing.POISON:
                result = Poison(f"{claim.crashes} processes ended uncleanly while this record was in flight")
            elif standing is not Standing.WAIT:
                result = await patiently(lambda: self._ledger.decisions.first(job.asked.key), "reading a decision")
            if isinstance(result, Fenced):
                raise result
            if result is not None:
                return self._published(job.record, result, repeat=standing is Standing.REPEAT)
            standing, claim = await self._elsewhere.wait(job.asked, claim)
            begun = await self._begin(job, standing)

    async def _begin(self, job: Job, standing: Standing) -> asyncio.Task[Result] | None:
        if standing not in TO_DECIDE:
            return None
        await self._slots.take(1)
        return self._deciding.begin(job, fresh=standing is Standing.NEW)

    def _published(self, record: Incoming, result: Version | DeadLetter, *, repeat: bool) -> Publication:
        if isinstance(result, DeadLetter):
            return self._dead(record, result)
        if repeat:
            again = repeat_record(self._topics, record.partition, result, record.headers)
            return Publication(Outcome.REPEATED, (again,), result.version_key)
        records = decision_records(self._topics, record.partition, result, record.headers)
        return Publication(Outcome.DECIDED, records, result.version_key)

    def _newest(self, publication: Publication, newest: dict[tuple[str, str], Version]) -> Publication:
        if publication.outcome is not Outcome.REPEATED or publication.version is None:
            return publication
        version = newest.get(publication.version[:2])
        if version is None:
            return publication
        [record] = publication.records
        return replace(publication, records=(replace(record, value=version.verdict),), version=version.version_key)

    def _dead(self, record: Incoming, error: DeadLetter) -> Publication:
        return Publication(Outcome.DEAD, (dead_letter(self._topics, record, error),), code=error.code)


async def _ready(publication: Publication) -> Publication:
    return publication
