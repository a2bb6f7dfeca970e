"""A running worker with its topics, a producer for its inputs and everything that readers see of its outputs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncEngine

from consensus import wire
from consensus.kafka.committed import committed
from consensus.kafka.deciding import Decide
from consensus.kafka.offsets import Position
from consensus.kafka.topic_admin import administration, create_topics
from consensus.kafka.topics import NOUNS, Topics
from consensus.kafka.worker import Worker
from consensus.ledger import Ledger
from consensus.metrics import Metrics
from consensus.settings import KafkaSettings
from consensus.types import Verdict
from tests.eventually import eventually


@dataclass
class Running:
    """One worker of a `Rig`."""

    worker: Worker
    task: asyncio.Task[None]
    metrics: Metrics
    ledger: Ledger

    async def drain(self) -> None:
        """End it as SIGTERM would."""
        await self.worker.drain()
        await self._end()
        await self.worker.stop()

    async def crash(self) -> None:
        """End it as kill -9 would as far as one process allows: nothing is finished, committed or given up."""
        await self._end()
        self.worker._draining = True
        for lane in self.worker._lanes.values():
            lane.task.cancel()
        await self.worker._deciding.abandon()
        await self.worker.stop()

    async def _end(self) -> None:
        self.task.cancel()
        await asyncio.wait([self.task])


@dataclass
class Rig:
    """Topics under one prefix; readers that follow all outputs, read_committed."""

    settings: KafkaSettings
    engine: AsyncEngine
    producer: AIOKafkaProducer
    reader: AIOKafkaConsumer
    seen: dict[str, list[Any]] = field(default_factory=lambda: {noun: [] for noun in NOUNS})

    @property
    def topics(self) -> Topics:
        return Topics(self.settings.prefix)

    @asynccontextmanager
    async def worker(self, decide: Decide, *, member: str = "w1", **changes: Any) -> AsyncIterator[Running]:
        """A worker for as long as the context lasts; drained at the end unless the test has ended it."""
        running = await self.start_worker(decide, member=member, **changes)
        try:
            yield running
        finally:
            if not running.task.done():
                await running.drain()

    async def start_worker(self, decide: Decide, *, member: str = "w1", **changes: Any) -> Running:
        settings = self.settings.model_copy(update=changes)
        metrics = Metrics()
        ledger = Ledger(self.engine, poison=settings.poison_crashes)
        worker = Worker(settings, ledger, decide, metrics, member=member)
        await worker.start()
        running = Running(worker, asyncio.create_task(worker.run()), metrics, ledger)
        await eventually(lambda: worker.ready or running.task.done())
        return running

    async def send(
        self, message: BaseModel | bytes | None, *, topic: str = "requests", partition: int = 0, **record: Any
    ) -> int:
        """Produce one input; returns its offset."""
        value = wire.write(message) if isinstance(message, BaseModel) else message
        sent = await self.producer.send_and_wait(self.topics.named(topic), value=value, partition=partition, **record)
        return sent.offset

    async def poll(self) -> None:
        """Read what has become visible."""
        batches = await self.reader.getmany(timeout_ms=50)
        for source, records in batches.items():
            noun = next(noun for noun in NOUNS if self.topics.named(noun) == source.topic)
            self.seen[noun].extend(records)

    async def until(self, **counts: int) -> None:
        """Wait until at least so many records of each kind are visible."""

        async def enough() -> bool:
            await self.poll()
            return all(len(self.seen[noun]) >= count for noun, count in counts.items())

        try:
            await eventually(enough)
        except TimeoutError:
            raise AssertionError({noun: len(records) for noun, records in self.seen.items()}) from None

    async def quiet(self) -> None:
        """Read on until nothing has come for a moment."""
        for _ in range(6):
            await self.poll()

    def verdicts(self, id_: str | None = None) -> list[Verdict]:
        read = [wire.read(Verdict, record.value) for record in self.seen["verdicts"]]
        return [verdict for verdict in read if id_ in (None, verdict.request_id)]

    def codes(self) -> list[str]:
        """Error codes of the dead letters, in the order in which they were seen."""
        return [header(record, "error-code") for record in self.seen["dead_letters"]]

    async def position(self, partition: int = 0, topic: str = "requests") -> Position:
        async with administration(self.settings) as admin:
            source = TopicPartition(self.topics.named(topic), partition)
            return await committed(admin, self.settings.group, source, seconds=30)

    async def committed_to(self, offset: int, partition: int = 0, topic: str = "requests") -> None:
        """Wait until everything below ``offset`` is committed."""

        async def reached() -> bool:
            return (await self.position(partition, topic)).offset >= offset

        await eventually(reached)


def header(record: Any, name: str) -> str:
    return dict(record.headers)[name].decode()


@asynccontextmanager
async def rig(
    settings: KafkaSettings, engine: AsyncEngine, *, unread: Sequence[str] = ("snapshots",)
) -> AsyncIterator[Rig]:
    """A rig whose topics exist."""
    await create_topics(settings)
    topics = Topics(settings.prefix)
    producer = AIOKafkaProducer(bootstrap_servers=settings.bootstrap_servers, max_request_size=16_000_000)
    names = [topics.named(noun) for noun in NOUNS if noun not in unread]
    reader = AIOKafkaConsumer(
        *names,
        bootstrap_servers=settings.bootstrap_servers,
        isolation_level="read_committed",
        auto_offset_reset="earliest",
    )
    await producer.start()
    await reader.start()
    try:
        yield Rig(settings, engine, producer, reader)
    finally:
        await reader.stop()
        await producer.stop()
