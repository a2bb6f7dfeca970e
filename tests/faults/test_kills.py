"""kill -9 of a worker at seven exact points: nothing is lost or doubled, only unrecorded answers are paid for again."""

from __future__ import annotations

import signal

import pytest

from tests.faults.death import POINTS
from tests.faults.rig import Rig

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(600, method="signal")]

BEFORE, AFTER = 6, 12
"""Requests that are finished before the process is armed, and those among which it dies."""

NUMBER = {"mid_fan_out": "4"}
"""Which pass kills, where it is not the first: one request has all its answers then, the others have some or none."""


@pytest.mark.parametrize("point", POINTS)
async def test_a_kill_at_any_point_loses_and_doubles_nothing(house: Rig, point: str) -> None:
    """The worker dies there and comes back under its own member id; what was recorded is not paid for again."""
    await house.start("worker", point, NUMBER.get(point, "1"))
    await house.send(house.request(f"before-{number}") for number in range(BEFORE))
    await house.settled()
    house.signal("worker", signal.SIGUSR1)
    await house.send(house.request(f"after-{number}") for number in range(AFTER))
    await house.died("worker")
    assert house.processes["worker"].returncode == -signal.SIGKILL
    excused = await house.unrecorded()
    await house.start("worker")
    await house.settled()
    evidence = await house.verify(paid_again=excused)
    assert len(evidence.of("verdicts")) == BEFORE + AFTER
