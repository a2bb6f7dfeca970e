"""Whether the audit chain holds: in the store, and record by record against the verdicts topic."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from aiokafka import AIOKafkaConsumer, TopicPartition

from calibration.store import alarms, chain, offsets, verification
from calibration.store.alarms import Alarm
from calibration.store.chain import Fault
from calibration.store.verification import Walked
from consensus.kafka.closing import close
from consensus.kafka.connect import bounded, client_options
from consensus.kafka.partitions import partitions_of
from consensus.kafka.topics import Topics
from consensus.ledger.transactions import Transactions
from consensus.settings import KafkaSettings

CALL_S = 30.0
POLL_MS = 500


@dataclass
class Compared:
    """One partition of the topic against its chain.

    ``records`` were compared, from offset ``first`` on (what the topic no longer holds cannot be); ``waiting`` are not
    ingested yet; ``fault`` is the first record that differs.
    """

    partition: int
    first: int
    records: int = 0
    waiting: int = 0
    fault: Fault | None = None


@dataclass(frozen=True)
class Verification:
    """What was found in the store and, where it was looked at, on the topic (else ``None``)."""

    store: list[Walked]
    topic: list[Compared] | None

    @property
    def faults(self) -> list[tuple[int, Fault]]:
        """Partition and fault of each chain that does not verify."""
        looked_at = (*self.store, *(self.topic or ()))
        return [(one.partition, one.fault) for one in looked_at if one.fault is not None]


async def verify(settings: KafkaSettings, store: Transactions, *, topic: bool, at: datetime) -> Verification:
    """Walk the stored chains, compare them with the topic if wanted, and raise an alarm for what does not verify.

    Raises StoreUnavailable and BrokerUnavailable.
    """
    name = Topics(settings.prefix).verdicts
    async with store.read("walking the audit chain") as connection:
        places = await offsets.read(connection)
        ingested = {partition: after for (source, partition), after in places.items() if source == name}
        walked = await verification.walk(connection, ingested)
    found = Verification(walked, await compare(settings, store) if topic else None)
    if found.faults:
        async with store.begin("raising an alarm") as connection:
            await alarms.add(connection, [_alarm(partition, fault, at) for partition, fault in found.faults])
    return found


def _alarm(partition: int, fault: Fault, at: datetime) -> Alarm:
    place = f"verdicts/{partition}@{fault.offset}"
    detail = f"the audit chain is broken: the record {fault.what}"
    return Alarm(0, "chain_broken", place, detail, cause=f"{place}\n{fault.what}", raised_at=at)


async def compare(settings: KafkaSettings, store: Transactions) -> list[Compared]:
    """Compare every partition from its beginning to its present end. Raises BrokerUnavailable and StoreUnavailable."""
    topic = Topics(settings.prefix).verdicts
    consumer = AIOKafkaConsumer(
        isolation_level="read_committed",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        **client_options(settings),
    )
    try:
        await bounded(consumer.start(), CALL_S, "connecting to read the verdicts topic")
        partitions = await bounded(partitions_of(consumer, topic), CALL_S, "reading the verdicts topic's partitions")
        ordered = sorted(partitions, key=lambda partition: partition.partition)
        return [await _compare(consumer, partition, store) for partition in ordered]
    finally:
        await close(consumer)


async def _compare(consumer: AIOKafkaConsumer, source: TopicPartition, store: Transactions) -> Compared:
    consumer.assign([source])
    first = (await bounded(consumer.beginning_offsets([source]), CALL_S, "finding where a partition begins"))[source]
    end = (await bounded(consumer.end_offsets([source]), CALL_S, "finding where a partition ends"))[source]
    consumer.seek(source, first)
    found = Compared(source.partition, first)
    async with store.read("reading the audit chain") as connection:
        comparison = chain.Comparison(await verification.head_before(connection, source.partition, first))
        last = await verification.last_offset(connection, source.partition)
    chained_end = 0 if last is None else last + 1  # what is ingested meanwhile counts as waiting
    reached = first
    while reached < end and found.fault is None:
        values, position = await bounded(_portion(consumer, source, reached), CALL_S, "reading the verdicts topic")
        chained = {offset: value for offset, value in values.items() if offset < chained_end}
        async with store.read("reading the audit chain") as connection:
            links = await verification.links(connection, source.partition, reached, min(position, chained_end))
        comparison.take(chained, links)
        found.records += len(chained)
        found.waiting += len(values) - len(chained)
        found.fault, reached = comparison.fault, position
    return found


async def _portion(
    consumer: AIOKafkaConsumer, source: TopicPartition, reached: int
) -> tuple[dict[int, bytes | None], int]:
    """The next values by offset, and the position after them; markers of transactions move the position alone."""
    while True:
        polled = await consumer.getmany(source, timeout_ms=POLL_MS)
        position = await consumer.position(source)
        if position > reached:
            return {record.offset: record.value for record in polled.get(source, ())}, position
