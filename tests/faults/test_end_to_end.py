"""Nothing is broken: what every fault test must come back to."""

from __future__ import annotations

import pytest

from tests.eventually import eventually
from tests.faults.rig import Rig

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(600, method="signal")]


async def test_a_calm_run_of_the_real_commands_is_clean_and_chained(house: Rig) -> None:
    """Worker and calibrator as they are deployed; the calibrator's chain holds every verdict."""
    await house.start("worker", service="worker")
    await house.start("calibrator", service="calibrator")
    await house.send(house.request(f"r-{number}") for number in range(40))
    await house.settled()

    async def chained() -> bool:
        found = await house.evidence(chained=True)
        return sum(map(len, (found.links or {}).values())) == 40

    await eventually(chained)
    evidence = await house.verify(chained=True)
    assert len(evidence.of("verdicts")) == 40
    assert len(evidence.of("signals")) == 40


async def test_repeats_and_conflicts_cost_nothing(house: Rig) -> None:
    """The same request three times, once on another partition, has one decision; another payload is a dead letter."""
    await house.start("worker")
    first = house.request("twice")
    await house.send([first, first])
    await house.send([first], partition=0)
    await house.send([first], partition=1)
    await house.settled()
    await house.send([first.model_copy(update={"domain": "elsewhere"})])
    await house.settled()
    evidence = await house.verify()
    assert len(evidence.of("verdicts")) == 4
    assert len({record.value for record in evidence.of("verdicts")}) == 1
    assert len(evidence.of("signals")) == 1
    [letter] = evidence.of("dead_letters")
    assert letter.headers["error-code"] == b"conflict"
