"""Looking at dead letters and sending them back to where they came from, for people and their scripts."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from aiokafka import AIOKafkaProducer

from consensus.kafka.closing import close
from consensus.kafka.connect import bounded, client_options, output_bytes
from consensus.kafka.dead_letters import ADDED
from consensus.kafka.dump import Dumped, dump
from consensus.kafka.topics import Topics
from consensus.settings import KafkaSettings

CALL_S = 30.0


@dataclass(frozen=True)
class DeadLetterRecord:
    """One dead letter: where it lies, where it came from and why. ``reason`` never holds content."""

    partition: int
    offset: int
    code: str
    reason: str
    source_topic: str
    source_partition: int
    source_offset: int
    timestamp_ms: int
    record: Dumped

    @property
    def place(self) -> str:
        """Its name on the command line: ``partition:offset`` of the dead-letter topic."""
        return f"{self.partition}:{self.offset}"


async def list_dead_letters(settings: KafkaSettings) -> list[DeadLetterRecord]:
    """All dead letters by partition and offset; what others put there is left out. Raises BrokerUnavailable."""
    records = await dump(settings, Topics(settings.prefix).dead_letters)
    return [_read(record) for record in records if all(name in record.headers for name in ADDED)]


async def replay(settings: KafkaSettings, letters: Collection[DeadLetterRecord]) -> int:
    """Produce the records again as they came, to the partitions they came from; returns how many.

    Replaying twice does no harm: the worker knows a record by its id and payload, and repeats its verdict. Raises
    BrokerUnavailable.
    """
    producer = AIOKafkaProducer(acks="all", max_request_size=output_bytes(settings), **client_options(settings))
    try:
        await bounded(producer.start(), CALL_S, "connecting")
        for letter in letters:
            await bounded(_again(producer, letter), CALL_S, f"replaying {letter.place}")
    finally:
        await close(producer)
    return len(letters)


async def _again(producer: AIOKafkaProducer, letter: DeadLetterRecord) -> None:
    original = letter.record
    headers = [(name, value) for name, value in original.headers.items() if name not in ADDED]
    await producer.send_and_wait(
        letter.source_topic,
        value=original.value,
        key=original.key,
        partition=letter.source_partition,
        headers=headers,
    )


def _read(record: Dumped) -> DeadLetterRecord:
    code, reason, topic, partition, offset = (record.headers[name].decode("utf-8", "replace") for name in ADDED)
    return DeadLetterRecord(
        partition=record.partition,
        offset=record.offset,
        code=code,
        reason=reason,
        source_topic=topic,
        source_partition=int(partition),
        source_offset=int(offset),
        timestamp_ms=record.timestamp_ms,
        record=record,
    )
