"""A worker that was frozen past its session comes back and believes that it still owns its partitions."""

from __future__ import annotations

import signal

import pytest

from tests.faults.rig import PANEL, Rig

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(600, method="signal")]

HELD = 8
"""Requests that the zombie had when it was frozen."""


@pytest.mark.parametrize("point", ["mid_fan_out", "before_produce", "after_send_offsets"])
async def test_a_zombie_is_fenced_and_writes_nothing(house_on_postgres: Rig, point: str) -> None:
    """Frozen between two answers, with a decision to publish, or ready to commit.

    It wakes up when its successor has its partitions: what it does then is never seen. Each request that it held may
    cost one more round of calls, until the ledger tells it that somebody else is deciding.
    """
    house = house_on_postgres
    await house.start("zombie", point, "1", "SIGSTOP")
    house.signal("zombie", signal.SIGUSR1)
    await house.send(house.request(f"r-{number}") for number in range(HELD))
    await house.frozen("zombie")
    excused = await house.unrecorded()
    await house.start("heir")
    house.signal("zombie", signal.SIGCONT)
    await house.settled()
    await house.processes["zombie"].ready(f"127.0.0.1:{house.ports['zombie']}")
    await house.send(house.request(f"later-{number}") for number in range(HELD))
    await house.settled()
    evidence = await house.verify(paid_again=excused + HELD * len(PANEL))
    assert len(evidence.of("verdicts")) == 2 * HELD
