"""Transactions that are never finished: aborted on the first record of a partition, or left open by a dead worker."""

from __future__ import annotations

import asyncio
import signal

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from tests.eventually import eventually
from tests.faults.rig import Rig

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(600, method="signal")]

TRANSACTION_MS = 4_000
SCAN_S = 0.5
"""How often the test broker looks for transactions that are too old (`tests.kafka.cluster.FAST`)."""
MARGIN_S = 5.0
"""For a busy machine."""


@pytest.mark.parametrize("point", ["after_produce", "after_send_offsets"])
async def test_an_abort_on_the_first_record_of_a_fresh_partition_skips_nothing(house: Rig, point: str) -> None:
    """Nothing was ever committed there but the beginning; the record is read again and decided once."""
    await house.start("worker", point)
    house.signal("worker", signal.SIGUSR1)
    await house.send([house.request("first")], partition=1)
    await house.died("worker")
    assert await house.unfinished() == 1
    await house.start("worker")
    await house.settled()
    evidence = await house.verify()
    assert len(evidence.of("verdicts")) == 1


async def test_readers_get_past_a_transaction_that_a_dead_worker_left_open(house: Rig) -> None:
    """Within the transaction's timeout and the broker's next look, although nobody takes the partition over."""
    await house.start("worker", "after_produce", transaction_timeout_ms=TRANSACTION_MS)
    house.signal("worker", signal.SIGUSR1)
    await house.send([house.request("stuck")], partition=0)
    await house.died("worker")
    began = asyncio.get_running_loop().time()
    assert await blocked(house)
    await eventually(lambda: unblocked(house), seconds=60)
    assert asyncio.get_running_loop().time() - began < TRANSACTION_MS / 1000 + SCAN_S + MARGIN_S
    await house.start("worker")
    await house.settled()
    await house.verify()


async def blocked(house: Rig) -> bool:
    """Whether the verdicts of partition 0 hold records that committed readers cannot pass."""
    partition = TopicPartition(house.topics.verdicts, 0)
    ends = []
    for level in ("read_committed", "read_uncommitted"):
        consumer = AIOKafkaConsumer(bootstrap_servers=house.settings.kafka.bootstrap_servers, isolation_level=level)
        await consumer.start()
        try:
            ends.append((await consumer.end_offsets([partition]))[partition])
        finally:
            await consumer.stop()
    return ends[0] < ends[1]


async def unblocked(house: Rig) -> bool:
    return not await blocked(house)
