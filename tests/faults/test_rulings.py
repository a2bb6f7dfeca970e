"""kill -9 while rulings are applied: each makes exactly one next version and one outcome, or none and is read again."""

from __future__ import annotations

import signal
from collections import Counter
from datetime import UTC, datetime

import pytest

from consensus import wire
from consensus.types import ReviewTask, Ruling, RulingDecision, Stakes, Status, Verdict
from tests.faults.death import RULING_POINTS
from tests.faults.rig import Rig

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(600, method="signal")]

COUNT = 8
NUMBER = {"after_ruling": "3"}
"""Which pass kills, where it is not the first."""

SOONER = ("after_ruling", "during_commit")
"""The points at which something is recorded and not published; requests show the others too."""

DECIDED_AT = datetime(2026, 2, 1, tzinfo=UTC)


def ruling(task: ReviewTask) -> Ruling:
    return Ruling(
        task_id=task.task_id,
        request_id=task.request_id,
        tenant=task.tenant,
        reviewer="ann",
        decision=RulingDecision.NONE_CORRECT,
        blind=True,
        decided_at=DECIDED_AT,
    )


@pytest.mark.parametrize(
    "point", [pytest.param(point, marks=() if point in SOONER else pytest.mark.slow) for point in RULING_POINTS]
)
async def test_a_kill_while_rulings_are_applied_loses_and_doubles_nothing(house: Rig, point: str) -> None:
    """The worker dies with rulings in hand and comes back; a second ruling on each task then changes nothing."""
    await house.start("worker", point, NUMBER.get(point, "1"))
    await house.send(house.request(f"r-{number}", stakes=Stakes.HIGH) for number in range(COUNT))
    await house.settled()
    rulings = [ruling(wire.read(ReviewTask, record.value)) for record in await house.dumped("reviews")]
    assert len(rulings) == COUNT
    house.signal("worker", signal.SIGUSR1)
    await house.send_rulings(rulings)
    await house.died("worker")
    assert house.processes["worker"].returncode == -signal.SIGKILL
    await house.start("worker")
    await house.settled()
    await house.send_rulings(one.model_copy(update={"reviewer": "bob"}) for one in rulings)
    await house.settled()
    evidence = await house.verify()
    found = [wire.read(Verdict, record.value) for record in evidence.of("verdicts")]
    assert Counter(verdict.version for verdict in found) == {1: COUNT, 2: COUNT}
    assert {verdict.status for verdict in found if verdict.version == 2} == {Status.ABSTAINED}
    assert len(evidence.of("outcomes")) == COUNT
