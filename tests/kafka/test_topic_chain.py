"""The topic against the chain: what the store says was published, was published, and nothing else."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncEngine

from calibration.store import chain, tables
from consensus import wire
from consensus.kafka.dump import dump
from consensus.kafka.intake import Record
from consensus.kafka.topic_chain import Compared, compare
from consensus.kafka.topics import Topics
from consensus.ledger.transactions import Transactions
from consensus.settings import KafkaSettings
from tests.kafka import loop_topics
from tests.kafka.test_calibrator import _no_ledger
from tests.loop_records import verdict


async def ingest(settings: KafkaSettings, engine: AsyncEngine) -> None:
    """Chain what is on the topic now."""
    from consensus.kafka.ingest import Ingest

    found = await dump(settings, Topics(settings.prefix).verdicts)
    records = [Record(one.topic, one.partition, one.offset, one.key, one.value, one.timestamp_ms) for one in found]
    into = Ingest(Transactions(engine, 10), Topics(settings.prefix), _no_ledger)
    stored = await into.offsets()
    places = {(record.topic, record.partition) for record in records}
    new = [record for record in records if record.offset >= stored.get((record.topic, record.partition), 0)]
    await into.store(new, {place: stored.get(place) for place in places})


async def compared(settings: KafkaSettings, engine: AsyncEngine) -> dict[int, Compared]:
    return {one.partition: one for one in await compare(settings, Transactions(engine, 10))}


async def test_topic_and_chain_agree_until_one_of_them_is_changed(
    address: str, prefix: str, engine: AsyncEngine
) -> None:
    """Records that wait are no fault; a forged or a vanished link is, and is named."""
    settings, topics = loop_topics.settings(address, prefix), await loop_topics.create(address, prefix)
    async with loop_topics.writer(address, topics) as writer:
        for i in range(40):
            await writer.raw(topics.verdicts, wire.write(verdict(f"r-{i}")), f"r-{i}".encode())
        await ingest(settings, engine)
        before = await compared(settings, engine)
        assert [(one.first, one.waiting, one.fault) for one in before.values()] == [(0, 0, None)] * 2
        assert sum(one.records for one in before.values()) == 40
        await writer.raw(topics.verdicts, wire.write(verdict("r-40")), b"r-40")
    after = await compared(settings, engine)
    assert sum(one.waiting for one in after.values()) == 1
    assert [one.fault for one in after.values()] == [None, None]

    table = tables.verdicts.c
    async with engine.begin() as connection:
        here = (table.log_partition == 0) & (table.log_offset == 3)
        await connection.execute(tables.verdicts.update().where(here).values(chain=b"\0" * 32))
        there = (table.log_partition == 1) & (table.log_offset == 2)
        await connection.execute(tables.verdicts.delete().where(there))
    broken = await compared(settings, engine)
    assert broken[0].fault == chain.Fault(3, chain.MOVED)
    assert broken[1].fault == chain.Fault(2, chain.NOT_CHAINED)
