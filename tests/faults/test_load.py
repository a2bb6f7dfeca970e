"""Short forms of the long runs (`test_soak` has the long ones), and what a backlog costs in memory and in time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.faults.load import RSS_GROWTH_MB, backlog, never_going_back, paid, random_kills, storm
from tests.faults.rig import Rig, rig
from tests.faulty_provider import hang
from tests.kafka.cluster import Cluster
from tests.postgres import fresh_database

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(600, method="signal")]

MOST_AGAIN = 1.15
"""Paid calls over needed calls in a storm of rebalances."""

SILENT_S = 900.0
"""Longer than the test may take: the silence is ended by the test."""


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
        await wide.settled(400)
    evidence = await wide.verify(paid_again=excused)
    assert len(evidence.of("verdicts")) == 800
    print(f"8 kills, 800 requests: {(await paid(wide)).ratio:.3f} calls for each needed one")


@pytest.mark.slow
async def test_a_storm_of_rebalances_repeats_little(wide: Rig) -> None:
    """Every model takes three seconds, and every two seconds a worker joins or leaves."""
    await wide.order(latency_s=3.0)
    async with never_going_back(wide):
        changes, requests = await storm(wide, seconds=40, every_s=2.0, each=15, seed=5)
        await wide.settled(400)
    found = await paid(wide)
    print(f"{changes} joins and leaves, {requests} requests: {found.ratio:.3f} calls for each needed one")
    assert found.ratio <= MOST_AGAIN
    evidence = await wide.verify(paid_again=found.calls - found.needed)
    assert len(evidence.of("verdicts")) == requests


@pytest.mark.slow
async def test_a_backlog_does_not_fill_the_memory(wide: Rig) -> None:
    """2,000 requests wait in the topic, 50 are in flight at a time: memory stays where it was after the first 300."""
    found = await backlog(wide, requests=2_000, warm=300, in_flight=50)
    assert found.growth_mb < RSS_GROWTH_MB
    evidence = await wide.verify()
    assert len(evidence.of("verdicts")) == 2_000


async def test_one_slow_request_does_not_hold_its_partition_back(kafka: Cluster, tmp_path: Path, prefix: str) -> None:
    """Two models of its own say nothing; everything behind it in the log is decided and committed meanwhile."""
    held = {"held": (hang(), None)}
    async with rig(tmp_path, kafka.bootstrap, prefix, model_timeout_s=SILENT_S, faults=held) as house:
        assert house.front is not None
        for model in ("sim-dorado-3", "sim-eridanus-1"):
            house.document["models"][model]["api_base"] = f"{house.front.url}/held/v1"
        house.add_policy("slow", ("sim-dorado-3", "sim-eridanus-1"))
        await house.start("worker")
        slow = house.request("slow", policy="slow", deadline_ms=1_000 * int(SILENT_S))
        await house.send([slow], partition=0)
        await house.send((house.request(f"quick-{number}") for number in range(40)), partition=0)
        await house.settled_to(1)
        assert {record.key for record in await house.dumped("verdicts")} == {f"quick-{n}".encode() for n in range(40)}
        house.front.released.set()
        await house.settled()
        evidence = await house.verify()
        assert len(evidence.of("verdicts")) == 41
