"""A worker without models: answers every request on Kafka as a function says, in a transaction, echoing the headers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from consensus import wire
from consensus.errors import DeadLetter
from consensus.kafka.topics import Topics
from consensus.types import BallotEntry, Disagreement, Request, Verdict, Vote

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
        "disagreement": Disagreement(kind="none", effective_votes=1.5, effective_votes_source="assumed", entropy=0.0),
        "degraded": False,
        "policy_version": "default@0",
        "decided_at": datetime(2025, 1, 1, tzinfo=UTC),
    }
    return Verdict.model_validate(plain | changes)


def vote_for(request: Request, model: str) -> Vote:
    """One model's vote, ``true``."""
    entry = BallotEntry(model=model, family=model, label_kind="answer", label=True)
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
        self._consumer = AIOKafkaConsumer(bootstrap_servers=address, auto_offset_reset="earliest")
        self._producer = AIOKafkaProducer(bootstrap_servers=address, transactional_id=f"{topics.prefix}-worker")
        self._votes = AIOKafkaProducer(bootstrap_servers=address)
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        for client in (self._consumer, self._producer, self._votes):
            await client.start()
        self._consumer.assign(self._places)
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        assert self._task is not None
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        for client in (self._consumer, self._producer, self._votes):
            await client.stop()

    async def _run(self) -> None:
        while True:
            for records in (await self._consumer.getmany(timeout_ms=200)).values():
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
