"""A worker without models: answers every request on Kafka as a function says, in a transaction, echoing the headers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from consensus import wire
from consensus.errors import DeadLetter
from consensus.kafka.topics import Topics
from consensus.types import BallotEntry, Disagreement, Kind, LabelKind, Request, Verdict, Vote

DISAGREEMENT = Disagreement(kind=Kind.NONE, effective_votes=1.5, effective_votes_source="assumed", entropy=0.0)
Answer = Callable[[Request, dict[str, bytes]], Awaitable[Verdict | DeadLetter | None]]


def verdict_for(request: Request, **changes: object) -> Verdict:
    """A verdict on the request: accepted, ``true``."""
    plain: dict[str, object] = {
        "request_id": request.id,
        "tenant": request.tenant,
        "version": 1,
        "status": "accepted",
        "answer": True,
        "uncertified": True,
        "route": "accept",
        "disagreement": DISAGREEMENT,
        "degraded": False,
        "policy_version": "default@0",
        "decided_at": datetime(2025, 1, 1, tzinfo=UTC),
    }
    return Verdict.model_validate(plain | changes)


def vote_for(request: Request, model: str) -> Vote:
    """One model's vote, ``true``."""
    entry = BallotEntry(model=model, family=model, label_kind=LabelKind.ANSWER, label=True)
    return Vote(request_id=request.id, tenant=request.tenant, entry=entry)


async def accept(request: Request, headers: dict[str, bytes]) -> Verdict:
    return verdict_for(request)


class FakeWorker:
    """Reads requests from the beginning of every partition; ``seen`` keeps them with their headers and partition."""

    def __init__(self, address: str, topics: Topics, partitions: int) -> None:
        self.answer: Answer = accept
        self.seen: list[tuple[Request, dict[str, bytes], int]] = []
        self._topics = topics
        self._places = [TopicPartition(topics.requests, p) for p in range(partitions)]
        self._address = address
        self._stack = AsyncExitStack()
        self._producer: AIOKafkaProducer
        self._votes: AIOKafkaProducer

    async def start(self) -> None:
        consumer = AIOKafkaConsumer(bootstrap_servers=self._address, auto_offset_reset="earliest")
        name = f"{self._topics.prefix}-worker"
        self._producer = AIOKafkaProducer(bootstrap_servers=self._address, transactional_id=name)
        self._votes = AIOKafkaProducer(bootstrap_servers=self._address)
        for client in (consumer, self._producer, self._votes):
            await client.start()
            self._stack.push_async_callback(client.stop)
        consumer.assign(self._places)
        task = asyncio.create_task(self._run(consumer))
        self._stack.push_async_callback(asyncio.wait, [task])
        self._stack.callback(task.cancel)

    async def stop(self) -> None:
        await self._stack.aclose()

    async def _run(self, consumer: AIOKafkaConsumer) -> None:
        while True:
            for records in (await consumer.getmany(timeout_ms=200)).values():
                for record in records:
                    await self._decide(record)

    async def _decide(self, record) -> None:
        request = wire.read(Request, record.value)
        headers = dict(record.headers)
        self.seen.append((request, headers, record.partition))
        result = await self.answer(request, headers)
        if result is not None:
            await self.publish(request, result, headers)

    async def publish(
        self, request: Request, result: Verdict | DeadLetter, headers: dict[str, bytes] | None = None
    ) -> None:
        """Commit a verdict or a dead letter with the given headers."""
        marks = dict(headers or {})
        topic, value = self._topics.verdicts, b""
        if isinstance(result, DeadLetter):
            topic, value = self._topics.dead_letters, wire.write(request)
            marks |= {"error-code": result.code.encode(), "error-reason": str(result).encode()}
        else:
            value = wire.write(result)
        async with self._producer.transaction():
            await self._producer.send_and_wait(
                topic, value, request.id.encode(), headers=list(marks.items()), partition=0
            )

    async def vote(self, vote: Vote, headers: dict[str, bytes]) -> None:
        """Publish a vote outside any transaction."""
        await self._votes.send_and_wait(
            self._topics.votes, wire.write(vote), vote.request_id.encode(), headers=list(headers.items())
        )
