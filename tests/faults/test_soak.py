"""The long forms, for `make soak`: a storm of three minutes, and a hundred kills over 20,000 requests."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.load import never_going_back, paid, random_kills, storm
from tests.faults.rig import rig
from tests.kafka.cluster import Cluster
from tests.postgres import fresh_database

pytestmark = [pytest.mark.kafka, pytest.mark.soak, pytest.mark.timeout(7_200)]


async def test_a_hundred_kills(kafka: Cluster, postgres: str, tmp_path: Path, prefix: str) -> None:
    """Three workers, 20,000 requests, a kill every one to ten seconds."""
    store = await fresh_database(postgres)
    async with rig(tmp_path, kafka.bootstrap, prefix, store=store, kafka={"partitions": 6}) as house:
        async with never_going_back(house):
            excused = await random_kills(house, kills=100, requests=20_000, gap_s=(1.0, 10.0), seed=100)
            await house.settled(3_600)
        evidence = await house.verify(paid_again=excused)
        assert len(evidence.of("verdicts")) == 20_000
        print(f"100 kills: {(await paid(house)).ratio:.3f} calls for each needed one")


async def test_three_minutes_of_rebalances(kafka: Cluster, postgres: str, tmp_path: Path, prefix: str) -> None:
    """A worker joins or leaves every two seconds while every model takes three."""
    store = await fresh_database(postgres)
    async with rig(tmp_path, kafka.bootstrap, prefix, store=store, kafka={"partitions": 6}) as house:
        await house.order(latency_s=3.0)
        async with never_going_back(house):
            await storm(house, seconds=180, every_s=2.0, each=20, seed=180)
            await house.settled(1_200)
        found = await paid(house)
        print(f"three minutes: {found.ratio:.3f} calls for each needed one")
        assert found.ratio <= 1.15
        await house.verify(paid_again=found.calls - found.needed)
