"""The long forms, for `make soak`: a hundred kills, three minutes of rebalances, a backlog of 10,000, a slow minute.

``SOAK_SHARE=0.1 make soak`` makes a tenth of the kills, requests and seconds of the first three.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.faults.load import RSS_GROWTH_MB, backlog, never_going_back, paid, random_kills, storm
from tests.faults.rig import rig
from tests.kafka.cluster import Cluster
from tests.postgres import fresh_database

pytestmark = [pytest.mark.kafka, pytest.mark.soak, pytest.mark.timeout(7_200, method="signal")]

SHARE = float(os.environ.get("SOAK_SHARE", "1"))
SLOW = ("sim-dorado-3", "sim-eridanus-1")


async def test_a_hundred_kills(kafka: Cluster, postgres: str, tmp_path: Path, prefix: str) -> None:
    """Three workers, 20,000 requests, a kill every one to ten seconds."""
    kills, requests = round(100 * SHARE), round(20_000 * SHARE)
    store = await fresh_database(postgres)
    async with rig(tmp_path, kafka.bootstrap, prefix, store=store, kafka={"partitions": 6}) as house:
        async with never_going_back(house):
            excused = await random_kills(house, kills=kills, requests=requests, gap_s=(1.0, 10.0), seed=100)
            await house.settled(3_600)
        evidence = await house.verify(paid_again=excused)
        assert len(evidence.of("verdicts")) == requests
        print(f"{kills} kills, {requests} requests: {(await paid(house)).ratio:.3f} calls for each needed one")


async def test_three_minutes_of_rebalances(kafka: Cluster, postgres: str, tmp_path: Path, prefix: str) -> None:
    """A worker joins or leaves every two seconds while every model takes three."""
    store = await fresh_database(postgres)
    async with rig(tmp_path, kafka.bootstrap, prefix, store=store, kafka={"partitions": 6}) as house:
        await house.order(latency_s=3.0)
        async with never_going_back(house):
            changes, requests = await storm(house, seconds=180 * SHARE, every_s=2.0, each=20, seed=180)
            await house.settled(1_200)
        found = await paid(house)
        print(f"{changes} joins and leaves, {requests} requests: {found.ratio:.3f} calls for each needed one")
        assert found.ratio <= 1.15
        await house.verify(paid_again=found.calls - found.needed)


async def test_a_backlog_of_ten_thousand(kafka: Cluster, postgres: str, tmp_path: Path, prefix: str) -> None:
    """Models take a second, 200 requests are in flight at a time: memory does not grow with what waits."""
    store = await fresh_database(postgres)
    async with rig(tmp_path, kafka.bootstrap, prefix, store=store, kafka={"partitions": 4}) as house:
        await house.order(latency_s=1.0)
        requests = round(10_000 * SHARE)
        found = await backlog(house, requests=requests, warm=requests // 10, in_flight=200)
        assert found.growth_mb < RSS_GROWTH_MB
        evidence = await house.verify()
        assert len(evidence.of("verdicts")) == requests


async def test_a_request_of_a_minute_delays_nobody(kafka: Cluster, tmp_path: Path, prefix: str) -> None:
    """Its models take 60 seconds; 300 others of its partition are committed before."""
    async with rig(tmp_path, kafka.bootstrap, prefix, model_timeout_s=120) as house:
        house.add_policy("slow", SLOW)
        for model in SLOW:
            await house.order(model, latency_s=60.0)
        await house.start("worker")
        await house.send([house.request("slow", policy="slow")], partition=0)
        await house.send((house.request(f"quick-{number}") for number in range(300)), partition=0)
        await house.settled_to(1, seconds=55)
        assert b"slow" not in {record.key for record in await house.dumped("verdicts")}
        await house.settled()
        evidence = await house.verify()
        assert len(evidence.of("verdicts")) == 301
