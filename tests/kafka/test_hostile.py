"""Hostile records among good ones, through the worker and the real pipeline: each ends in the right place."""

from __future__ import annotations

from functools import partial

from consensus.pipeline import Resources, decide
from consensus.policy import PanelPolicy
from tests.ballots import policy
from tests.hostile import CASES, UNKNOWN_POLICY, good
from tests.kafka.rig import Rig, header
from tests.models_fake import member, says

BROKER_TAKES = 100_000
"""Bytes; a larger record never reaches the topic."""


def resources() -> Resources:
    members = {name: member(name, says("A")) for name in "abc"}
    panel = PanelPolicy(name="main", models=("a", "b", "c"), quorum=2, min_families=2)
    return Resources(members, {"main": panel}, {"default": policy()})


async def test_every_good_one_gets_its_verdict_and_every_hostile_one_names_its_fault(line: Rig) -> None:
    hostile = [case for case in (*CASES.values(), UNKNOWN_POLICY) if len(case.value or b"") < BROKER_TAKES]
    assert len(hostile) >= 40
    sent = {}
    async with line.worker(partial(decide, resources=resources()), dead_letter_run=1_000) as running:
        for number, case in enumerate(hostile):
            await line.send(good(number))
            sent[await line.send(case.value, key=b"k")] = case
        await line.until(verdicts=len(hostile), dead_letters=len(hostile))
        assert not running.task.done()
    assert sorted(v.request_id for v in line.verdicts()) == sorted(f"good-{n}" for n in range(len(hostile)))
    assert {v.status for v in line.verdicts()} == {"pending_review"}
    assert len(line.seen["dead_letters"]) == len(hostile)
    for record in line.seen["dead_letters"]:
        case = sent[int(header(record, "source-offset"))]
        too_large = len(case.value or b"") > line.settings.max_record_bytes
        code, field = ("too_large", "value") if too_large else (case.code, case.field)
        assert header(record, "error-code") == code
        assert header(record, "error-reason").startswith(f"{field}: ")
