"""Votes as they arrive, for callers who stream: best effort, without transactions, dropped when nobody keeps up."""

from __future__ import annotations

import asyncio

import structlog
from aiokafka import AIOKafkaProducer

from consensus.errors import BrokerUnavailable, Fenced
from consensus.kafka.connect import bounded, plain_producer
from consensus.kafka.messages import Outgoing
from consensus.kafka.producer import discard
from consensus.settings import KafkaSettings

CALL_S = 5.0
WAITING = 1_000

log = structlog.get_logger()


class Votes:
    """A bounded queue in front of a producer of its own, which is made when the first vote is streamed."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._queue: asyncio.Queue[Outgoing] = asyncio.Queue(WAITING)
        self.dropped = 0

    def offer(self, vote: Outgoing) -> None:
        """Queue a vote; when the queue is full it is dropped, and counted."""
        try:
            self._queue.put_nowait(vote)
        except asyncio.QueueFull:
            self.dropped += 1

    async def run(self) -> None:
        """Produce until cancelled. A failure costs the votes of that moment and a new producer."""
        producer: AIOKafkaProducer | None = None
        try:
            while True:
                vote = await self._queue.get()
                try:
                    producer = producer or await self._connected()
                    await bounded(_send(producer, vote), CALL_S, "producing a vote")
                except (BrokerUnavailable, Fenced, AssertionError) as error:
                    self.dropped += 1
                    log.warning("vote dropped", error=str(error))
                    if producer is not None:
                        await discard(producer)
                        producer = None
        finally:
            if producer is not None:
                await discard(producer)

    async def _connected(self) -> AIOKafkaProducer:
        producer = plain_producer(self._settings)
        try:
            await bounded(producer.start(), CALL_S, "connecting")
        except BrokerUnavailable:
            await discard(producer)
            raise
        return producer


async def _send(producer: AIOKafkaProducer, vote: Outgoing) -> None:
    delivery = await producer.send(vote.topic, value=vote.value, key=vote.key, headers=list(vote.headers))
    delivery.add_done_callback(_unmourned)


def _unmourned(delivery: asyncio.Future[object]) -> None:
    """A vote that is lost is lost: looking at its error keeps the event loop from reporting it."""
    if not delivery.cancelled():
        delivery.exception()
