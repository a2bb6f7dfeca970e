"""One opening of a lane: records come in, are worked on, and leave in transactions, until something fails.

All that is known here dies with the shift: the next one starts from what is committed.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import islice

import structlog
from aiokafka import TopicPartition

from consensus.errors import Retry, StoreUnavailable
from consensus.kafka.dead_letters import Gate
from consensus.kafka.messages import Incoming
from consensus.kafka.offsets import Tracker
from consensus.kafka.plant import Flow, Plant
from consensus.kafka.producer import TooLarge, Transactions
from consensus.kafka.publication import Outcome, Publication, Steps
from consensus.patience import Backoff, patiently

LOW_WATER = 64
"""Records that a lane keeps ready; below it wants more."""

TAKE = 100
"""Records claimed in one statement."""

log = structlog.get_logger()

Done = tuple[Incoming, Publication]


@dataclass
class Caution:
    """What a lane remembers of records that the broker found too large: which they are, and how many transactions of
    one record each are still to come while it is not known."""

    oversized: set[int] = field(default_factory=set)
    one_by_one: int = 0


class Shift:
    """``turn`` is held during each transaction: the requests and the rulings of one partition number share it, so that
    their versions appear in order."""

    def __init__(
        self,
        source: TopicPartition,
        plant: Plant,
        steps: Steps,
        *,
        tracker: Tracker,
        producer: Transactions,
        gate: Gate,
        turn: asyncio.Lock,
        caution: Caution,
    ) -> None:
        self.flow = Flow.OPEN
        self.tracker = tracker
        self.in_transaction = False
        self._source = source
        self._plant = plant
        self._steps = steps
        self._producer = producer
        self._gate = gate
        self._turn = turn
        self._caution = caution
        self._inbox: deque[Incoming] = deque()
        self._work: set[asyncio.Task[Publication]] = set()
        self._done: deque[Done] = deque()
        self._failure: BaseException | None = None
        self._draining = self._ending = self._over = False
        self._arrived = asyncio.Event()
        self._changed = asyncio.Event()
        self._room = asyncio.Event()
        self._quieter = asyncio.Event()

    @property
    def wants(self) -> bool:
        """Whether records should be fetched for it."""
        return not self._draining and len(self._inbox) < LOW_WATER

    @property
    def idle(self) -> bool:
        """Whether nothing that was taken is unfinished or uncommitted."""
        return self.tracker.in_work == 0 and not self.in_transaction

    def offer(self, records: Sequence[Incoming]) -> None:
        """Records as they were fetched, in order; only what is wanted is fetched, so the inbox stays small."""
        self._inbox.extend(records)
        self._arrived.set()

    async def drain(self) -> None:
        """Take nothing more; return once what was taken is finished and committed, or the shift is over."""
        self._draining = True
        self._inbox.clear()
        while not (self.idle or self._over):
            self._quieter.clear()
            await self._quieter.wait()

    def end(self) -> None:
        """Begin no other transaction."""
        self._ending = True
        self._changed.set()

    async def run(self) -> None:
        """Take and commit until ended. Raises whatever fails: Retry where another shift may do better."""
        intake = asyncio.create_task(self._intake(), name=f"intake-{self._source.topic}-{self._source.partition}")
        intake.add_done_callback(self._intake_ended)
        try:
            while not self._ending:
                await self._changed.wait()
                self._changed.clear()
                if self._failure is not None:
                    raise self._failure
                while self._done and not self._ending:
                    await self._commit()
        finally:
            self._over = True
            self._quieter.set()
            for task in (intake, *self._work):
                task.cancel()
            await asyncio.wait([intake])

    async def _intake(self) -> None:
        while True:
            self._arrived.clear()
            if not self._inbox:
                await self._arrived.wait()
                continue
            fitting = await self._fitting()
            self.flow = Flow.IN_FLIGHT
            admitted = await self._steps.admit(fitting)
            self.flow = Flow.OPEN
            try:
                await self._take([self._inbox.popleft() for _ in range(min(admitted, len(self._inbox)))], admitted)
            except BaseException:
                self._steps.leave(admitted)
                raise

    async def _fitting(self) -> int:
        """Wait until some of the next records may be taken; returns how many."""
        while True:
            self._room.clear()
            fitting = self.tracker.fitting(record.offset for record in list(self._inbox)[:TAKE])
            if fitting:
                return fitting
            self.flow = Flow.INCOMPLETE
            await self._room.wait()

    async def _take(self, records: Sequence[Incoming], admitted: int) -> None:
        self._plant.metrics.count("records", len(records), topic=self._source.topic)
        fresh = [record for record in records if self.tracker.take(record.offset)]
        for record, task in zip(fresh, await self._begun(fresh, admitted), strict=True):
            self._work.add(task)
            task.add_done_callback(partial(self._finished, record))

    async def _begun(self, records: Sequence[Incoming], admitted: int) -> list[asyncio.Task[Publication]]:
        backoff = Backoff()
        while True:
            try:
                tasks = await self._steps.take(records, admitted)
                self.flow = Flow.OPEN
                return tasks
            except StoreUnavailable as error:
                self.flow = Flow.STORE
                log.warning("records wait for the store", partition=self._source.partition, error=str(error))
            await backoff.wait()

    def _intake_ended(self, intake: asyncio.Task[None]) -> None:
        if not intake.cancelled():
            self._fail(intake.exception())

    def _finished(self, record: Incoming, task: asyncio.Task[Publication]) -> None:
        self._work.discard(task)
        if task.cancelled():
            return
        error = task.exception()
        if error is not None:
            self._fail(error)
            return
        self._done.append((record, task.result()))
        self._changed.set()

    def _fail(self, error: BaseException | None) -> None:
        self._failure = self._failure or error
        self._changed.set()

    async def _commit(self) -> None:
        """One transaction of what is done now: at once when little is going on, in batches when much is."""
        batch = self._batch()
        self.in_transaction = True
        started = time.monotonic()
        try:
            async with self._turn:
                publications = await self._freshened(batch)
                await self._publish(batch, publications)
        except Retry as error:
            self._plant.metrics.count("commits", result=type(error).__name__)
            raise
        finally:
            self.in_transaction = False
        self._plant.metrics.count("commits", result="ok")
        self._plant.metrics.observe("commit_seconds", time.monotonic() - started)
        self._room.set()
        self._quieter.set()
        await self._committed(publications)

    def _batch(self) -> list[Done]:
        """What the next transaction holds: no more dead letters than may pass."""
        size = 1 if self._caution.one_by_one else self._plant.settings.commit_batch
        dead = [publication.outcome is Outcome.DEAD for _, publication in islice(self._done, size)]
        return [self._done.popleft() for _ in range(self._gate.passable(dead))]

    async def _freshened(self, batch: Sequence[Done]) -> list[Publication]:
        wanted = []
        for record, publication in batch:
            if record.offset in self._caution.oversized:
                wanted.append(await patiently(partial(self._steps.refuse, record), "refusing a record"))
            else:
                wanted.append(publication)
        return await patiently(partial(self._steps.freshen, wanted), "reading versions")

    async def _publish(self, batch: Sequence[Done], publications: Sequence[Publication]) -> None:
        for record, _ in batch:
            self.tracker.complete(record.offset)
        outputs = [output for publication in publications for output in publication.records]
        try:
            await self._producer.publish(outputs, self.tracker.position())
        except TooLarge:
            if len(batch) == 1:
                self._caution.oversized.add(batch[0][0].offset)
            else:
                self._caution.one_by_one = len(batch)
            raise
        self._caution.oversized -= {record.offset for record, _ in batch}
        self._caution.one_by_one = max(0, self._caution.one_by_one - 1)

    async def _committed(self, publications: Sequence[Publication]) -> None:
        """Bookkeeping after a transaction. Raises DeadLetterLimit."""
        self._plant.marks.add(pub.version for pub in publications if pub.version is not None)
        for publication in publications:
            if publication.code is not None:
                self._plant.metrics.count("dead_letters", code=publication.code)
            if publication.outcome is Outcome.REPEATED:
                self._plant.metrics.count("repeats")
        await self._gate.passed([publication.outcome is Outcome.DEAD for publication in publications])
