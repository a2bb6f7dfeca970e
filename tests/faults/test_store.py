"""The store away, slow or full while requests are claimed, answered and decided: partitions wait, nothing is lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.eventually import eventually
from tests.faults.proxy import Mode
from tests.faults.rig import SETTLE_S, Rig
from tests.faults.stores import behind, refuse_writes
from tests.kafka.cluster import Cluster

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(600, method="signal")]


@pytest.mark.parametrize("mode", [pytest.param(Mode.REFUSE, marks=pytest.mark.slow), Mode.SWALLOW])
async def test_a_store_that_is_away_holds_everything_up_and_loses_nothing(
    kafka: Cluster, postgres: str, tmp_path: Path, prefix: str, mode: Mode
) -> None:
    """Away while requests are being decided and while others are to be claimed; back, it all goes on by itself."""
    async with behind(kafka, postgres, tmp_path, prefix) as (house, gate):
        worker = await house.start("worker")
        await house.order(latency_s=1.0)
        await house.send(house.request(f"deciding-{number}") for number in range(10))
        await house.asked(20)
        gate.turn(mode)
        await house.send(house.request(f"to-claim-{number}") for number in range(10))
        await eventually(lambda: "store failed while" in worker.tail(200), seconds=SETTLE_S)
        assert await house.unfinished() == 20
        gate.turn(Mode.PASS)
        await house.settled()
        evidence = await house.verify()
        assert len(evidence.of("verdicts")) == 20
        assert worker.returncode is None


async def test_a_full_store_holds_everything_up_and_loses_nothing(house_on_postgres: Rig) -> None:
    """PostgreSQL refuses every write, as it does when its disk is full, and then no longer."""
    house = house_on_postgres
    database = house.settings.store.url.rpartition("/")[2]
    worker = await house.start("worker")
    await house.send(house.request(f"before-{number}") for number in range(5))
    await house.settled()
    await refuse_writes(house, database, on=True)
    await house.send(house.request(f"during-{number}") for number in range(5))
    await eventually(lambda: "store failed while" in worker.tail(200), seconds=SETTLE_S)
    assert await house.unfinished() == 5
    await refuse_writes(house, database, on=False)
    await house.settled()
    evidence = await house.verify()
    assert len(evidence.of("verdicts")) == 10


async def test_a_locked_store_holds_everything_up_and_loses_nothing(house: Rig) -> None:
    """Somebody holds SQLite's only lock for some seconds: claims wait, nothing fails."""
    await house.start("worker")
    async with house.engine.begin():
        await house.send(house.request(f"r-{number}") for number in range(10))
        await house.unmoved(seconds=3.0)
    await house.settled()
    evidence = await house.verify()
    assert len(evidence.of("verdicts")) == 10
