"""The store away, silent, full or slow while the calibrator reads: afterwards its chain holds every verdict once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.eventually import eventually
from tests.faults.proxy import Mode
from tests.faults.rig import SETTLE_S, Rig
from tests.faults.stores import behind, refuse_writes
from tests.kafka.cluster import Cluster

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(600, method="signal")]

LATE_S = 0.1
"""Of every answer of a slow store: each transaction takes most of a second then."""


async def chained(house: Rig, count: int) -> None:
    """Wait until the calibrator's chain holds so many verdicts."""

    async def enough() -> bool:
        links = (await house.evidence(chained=True)).links or {}
        return sum(map(len, links.values())) >= count

    await eventually(enough, seconds=SETTLE_S)


@pytest.mark.parametrize("mode", [pytest.param(Mode.REFUSE, marks=pytest.mark.slow), Mode.SWALLOW])
async def test_a_store_that_is_away_is_waited_for(
    kafka: Cluster, postgres: str, tmp_path: Path, prefix: str, mode: Mode
) -> None:
    """Verdicts go on meanwhile, since the worker has its own way to the store; none is missing in the chain."""
    async with behind(kafka, postgres, tmp_path, prefix) as (house, gate):
        calibrator = await house.start("calibrator", service="calibrator")
        house.document["store"] = {"url": house.settings.store.url}
        await house.start("worker")
        await house.send(house.request(f"before-{number}") for number in range(20))
        await chained(house, 20)
        gate.turn(mode)
        await house.send(house.request(f"during-{number}") for number in range(20))
        await house.settled()
        await eventually(lambda: "store_unavailable" in calibrator.tail(200), seconds=SETTLE_S)
        gate.turn(Mode.PASS)
        await house.send(house.request(f"after-{number}") for number in range(20))
        await house.settled()
        await chained(house, 60)
        evidence = await house.verify(chained=True)
        assert len(evidence.of("verdicts")) == 60
        assert calibrator.returncode is None


@pytest.mark.slow
async def test_a_full_store_is_waited_for(house_on_postgres: Rig) -> None:
    """Verdicts wait in the topic while every write is refused."""
    house = house_on_postgres
    database = house.settings.store.url.rpartition("/")[2]
    await house.start("worker")
    await house.send(house.request(f"r-{number}") for number in range(20))
    await house.settled()
    await refuse_writes(house, database, on=True)
    calibrator = await house.launch("calibrator", service="calibrator")
    await eventually(lambda: "store_unavailable" in calibrator.tail(200), seconds=SETTLE_S)
    await refuse_writes(house, database, on=False)
    await chained(house, 20)
    await house.verify(chained=True)
    assert calibrator.returncode is None


@pytest.mark.slow
async def test_a_slow_store_slows_and_loses_nothing(kafka: Cluster, postgres: str, tmp_path: Path, prefix: str) -> None:
    """Every answer of the store is late, for worker and calibrator; nothing is missing or doubled."""
    async with behind(kafka, postgres, tmp_path, prefix, timeout_s=60.0) as (house, gate):
        await house.start("worker")
        await house.start("calibrator", service="calibrator")
        gate.delay_s = LATE_S
        await house.send(house.request(f"r-{number}") for number in range(20))
        await house.settled()
        await chained(house, 20)
        evidence = await house.verify(chained=True)
        assert len(evidence.of("verdicts")) == 20
