"""Short forms of the long runs (`test_soak` has the long ones), and what a backlog costs in memory and in time."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import pytest_asyncio

from tests.faults.load import never_going_back, paid, random_kills, storm
from tests.faults.rig import Rig, rig
from tests.kafka.cluster import Cluster
from tests.postgres import fresh_database

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(600)]

MOST_AGAIN = 1.15
"""Paid calls over needed calls in a storm of rebalances."""

RSS_GROWTH_MB = 60


@pytest_asyncio.fixture
async def wide(kafka: Cluster, postgres: str, tmp_path: Path, prefix: str) -> AsyncIterator[Rig]:
    """Four partitions, on PostgreSQL."""
    store = await fresh_database(postgres)
    async with rig(tmp_path, kafka.bootstrap, prefix, store=store, kafka={"partitions": 4}) as made:
        yield made


async def test_kills_at_random_lose_and_double_nothing(wide: Rig) -> None:
    """Three workers, eight kills, 800 requests."""
    async with never_going_back(wide):
        excused = await random_kills(wide, kills=8, requests=800, gap_s=(1.0, 3.0), seed=3)
        await wide.settled(240)
    evidence = await wide.verify(paid_again=excused)
    assert len(evidence.of("verdicts")) == 800
    print(f"8 kills, 800 requests: {(await paid(wide)).ratio:.3f} calls for each needed one")


async def test_a_storm_of_rebalances_repeats_little(wide: Rig) -> None:
    """Every model takes three seconds, and every two seconds a worker joins or leaves."""
    await wide.order(latency_s=3.0)
    async with never_going_back(wide):
        changes, requests = await storm(wide, seconds=40, every_s=2.0, each=15, seed=5)
        await wide.settled(240)
    found = await paid(wide)
    print(f"{changes} joins and leaves, {requests} requests: {found.ratio:.3f} calls for each needed one")
    assert found.ratio <= MOST_AGAIN
    evidence = await wide.verify(paid_again=found.calls - found.needed)
    assert len(evidence.of("verdicts")) == requests


async def test_a_backlog_does_not_fill_the_memory(wide: Rig) -> None:
    """2,000 requests wait in the topic, 50 are in flight at a time: memory stays where it was after the first 300."""
    await wide.send(wide.request(f"r-{number}") for number in range(2_000))
    worker = await wide.start("worker", in_flight=50)
    async with sampled(worker.pid) as sizes:
        await wide.settled_to(1_700)
        warm = max(sizes)
        await wide.settled(400)
    print(f"resident memory: {warm:.0f} MB after 300 requests, at most {max(sizes):.0f} MB")
    assert max(sizes) - warm < RSS_GROWTH_MB
    evidence = await wide.verify()
    assert len(evidence.of("verdicts")) == 2_000


@asynccontextmanager
async def sampled(pid: int) -> AsyncIterator[list[float]]:
    """The resident size of a process in megabytes, again and again."""
    sizes: list[float] = []

    async def sample() -> None:
        while True:
            sizes.append(resident_mb(pid))
            await asyncio.sleep(0.2)  # the samples' distance

    sampling = asyncio.create_task(sample())
    try:
        yield sizes
    finally:
        sampling.cancel()
        await asyncio.gather(sampling, return_exceptions=True)


def resident_mb(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


async def test_one_slow_request_does_not_hold_its_partition_back(kafka: Cluster, tmp_path: Path, prefix: str) -> None:
    """Two models of its own take 20 seconds; everything behind it in the log is decided and committed meanwhile."""
    slow = ("sim-dorado-3", "sim-eridanus-1")
    async with rig(tmp_path, kafka.bootstrap, prefix, model_timeout_s=60) as house:
        house.add_policy("slow", slow)
        for model in slow:
            await house.order(model, latency_s=20.0)
        await house.start("worker")
        await house.send([house.request("slow", policy="slow")], partition=0)
        await house.send((house.request(f"quick-{number}") for number in range(40)), partition=0)
        await house.settled_to(1, seconds=15)
        assert {record.key for record in await house.dumped("verdicts")} == {f"quick-{n}".encode() for n in range(40)}
        await house.settled()
        evidence = await house.verify()
        assert len(evidence.of("verdicts")) == 41
