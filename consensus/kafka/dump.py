"""A whole topic as its committed readers see it: for checking a run, and for counting what a demonstration did."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer, ConsumerRecord

from consensus.kafka.closing import close
from consensus.kafka.connect import bounded, client_options
from consensus.kafka.partitions import partitions_of
from consensus.settings import KafkaSettings

CALL_S = 30.0
READ_S = 300.0
"""A topic may be long, and the machine may be busy."""


@dataclass(frozen=True)
class Dumped:
    """One committed record. ``timestamp_ms`` is the record's own."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Mapping[str, bytes]
    timestamp_ms: int


async def dump(settings: KafkaSettings, topic: str) -> list[Dumped]:
    """Every committed record of ``topic`` from its beginning to its present end, by partition and offset.

    Records of open and aborted transactions are left out. Raises BrokerUnavailable.
    """
    consumer = AIOKafkaConsumer(
        isolation_level="read_committed",
        enable_auto_commit=False,
        auto_offset_reset="earliest",  # a seek would race with the reset to whatever this says
        **client_options(settings),
    )
    try:
        await bounded(consumer.start(), CALL_S, "connecting to read a topic")
        return await bounded(_read(consumer, topic), READ_S, f"reading {topic}")
    finally:
        await close(consumer)


async def _read(consumer: AIOKafkaConsumer, topic: str) -> list[Dumped]:
    partitions = await partitions_of(consumer, topic)
    consumer.assign(partitions)
    ends = await consumer.end_offsets(partitions)
    found: list[Dumped] = []
    while partitions:
        batches = await consumer.getmany(timeout_ms=200)
        found += [_dumped(record) for records in batches.values() for record in records]
        partitions = [tp for tp in partitions if await consumer.position(tp) < ends[tp]]
    return sorted(found, key=lambda record: (record.partition, record.offset))


def _dumped(record: ConsumerRecord[bytes, bytes]) -> Dumped:
    headers = {name: bytes(value) for name, value in record.headers}
    return Dumped(record.topic, record.partition, record.offset, record.key, record.value, headers, record.timestamp)
