"""The topics of the loop on a test broker, and records on them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from consensus import wire
from consensus.kafka.topics import Topics
from consensus.settings import KafkaSettings
from consensus.types import Outcome, Signal, Verdict

Message = Signal | Verdict | Outcome
PARTITIONS = 2


def settings(broker: str, prefix: str, **changes: object) -> KafkaSettings:
    """Settings for a test broker; every member gets an id of its own."""
    base = {"bootstrap_servers": broker, "prefix": prefix, "instance_id": f"{prefix}-member", "partitions": PARTITIONS}
    return KafkaSettings.model_validate({**base, **changes})


async def create(broker: str, prefix: str) -> Topics:
    """Make the topics that the calibrator reads."""
    topics = Topics(prefix)
    admin = AIOKafkaAdminClient(bootstrap_servers=broker)
    await admin.start()
    try:
        names = (topics.verdicts, topics.signals, topics.outcomes)
        made = [NewTopic(name, PARTITIONS, 1) for name in names]
        compacted = NewTopic(topics.snapshots, 1, 1, topic_configs={"cleanup.policy": "compact"})
        await admin.create_topics([*made, compacted])
    finally:
        await admin.close()
    return topics


class Writer:
    """Produces messages to the topics they belong on."""

    def __init__(self, producer: AIOKafkaProducer, topics: Topics) -> None:
        self._producer = producer
        self._topics = topics

    async def send(self, messages: Iterable[Message]) -> None:
        """Produce in order; returns once the broker has everything."""
        names = {Signal: self._topics.signals, Verdict: self._topics.verdicts, Outcome: self._topics.outcomes}
        sent = [
            await self._producer.send(names[type(message)], wire.write(message), key=message.request_id.encode())
            for message in messages
        ]
        for acknowledged in sent:
            await acknowledged

    async def raw(self, topic: str, value: bytes | None, key: bytes) -> None:
        """Produce any bytes."""
        await self._producer.send_and_wait(topic, value, key=key)


@asynccontextmanager
async def writer(broker: str, topics: Topics) -> AsyncIterator[Writer]:
    """A writer for as long as the context lasts."""
    producer = AIOKafkaProducer(bootstrap_servers=broker)
    await producer.start()
    try:
        yield Writer(producer, topics)
    finally:
        await producer.stop()
