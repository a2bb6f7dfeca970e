"""Votes that cannot change the route are not waited for: what is cut off and counted, and that nothing was lost."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from calibration.fitting import fit
from calibration.snapshot import Snapshot
from consensus import stragglers
from consensus.errors import ModelError
from consensus.models import Member
from consensus.models.protocol import Budget, MemoryLog, Prompt
from consensus.pipeline import decide
from consensus.policy import BudgetPolicy
from consensus.types import Answer, BallotEntry, Failure, Kind, LabelKind, Route, Status, Verdict
from tests.ballots import ballot, request
from tests.calibration.tables import independent
from tests.models_fake import Scripted, member, says
from tests.test_pipeline import NOW, Judge, certified, resources

SAID: tuple[object, ...] = (
    says("A"), says("B"), says("C"), says("A", 1.0), says("B", 1.0), says("C", 1.0), says("A", 0.01), {"answer": "A"},
    {"answer": None}, "I cannot help with that request.", '{"answer": "A', "hm", ModelError(Failure.TIMEOUT, "late"),
)  # fmt: skip
"""All sorts of things that a member may say: options more or less surely, and ways to say nothing."""


def snapshot(threshold: float) -> Snapshot:
    """As `certified`, with a certificate from ``threshold`` on and curves of what members say of themselves."""
    n = 300
    labelled = independent(n, (0.9, 0.85, 0.8), options=3)
    right = labelled.votes == labelled.truth[:, None]
    stated = np.where(right, 0.95, 0.6) + np.random.default_rng(3).uniform(-0.05, 0.05, (n, 3))
    known = replace(
        labelled, models=("a", "b", "c"), domains=("law",) * n, confidence=stated,
        sources=(("verbal", "", ""),), source=np.zeros((n, 3), dtype=np.int64),
    )  # fmt: skip
    fitted = fit(known, fitted_at=NOW)
    assert fitted is not None
    assert fitted.members.curves
    certificate = certified().certificates[0]
    bound = certificate.model_copy(update={"threshold": threshold, "snapshot_version": fitted.basis})
    return fitted.with_changes(certificates=(bound,))


class Late(Scripted):
    """A member that answers only when it is told to; what cuts it off comes first."""

    def __init__(self, name: str, reply: object) -> None:
        super().__init__(name, f"family-{name}", reply)
        self.released = asyncio.Event()

    async def ask(self, prompt: Prompt, *, deadline: float, budget: Budget) -> Answer:
        budget.take_call()
        await self.released.wait()
        return await super().ask(prompt, deadline=deadline, budget=Budget(BudgetPolicy()))

    def release_after_turns(self, turns: int = 30) -> None:
        """Answer once the event loop has gone round so often: by then whoever wants to cut has done so."""
        if turns:
            asyncio.get_running_loop().call_soon(self.release_after_turns, turns - 1)
        else:
            self.released.set()


async def decided(fitted: Snapshot | None, *said: object, judge: Judge | None = None, **rules: Any) -> Verdict:
    """The verdict on what a, b and c said at once."""
    return await _decide(fitted, {name: member(name, one) for name, one in zip("abc", said, strict=True)}, judge, rules)


async def late(fitted: Snapshot | None, *said: object, judge: Judge | None = None, **rules: Any) -> Verdict:
    """The verdict when c answers after a and b were heard: it was cut off, or its answer is on the ballot."""
    members = {name: member(name, one) for name, one in zip("abc", said, strict=True)}
    straggler = Late("c", said[2])
    members["c"] = Member(members["c"].policy, straggler)
    heard: list[BallotEntry] = []

    def on_vote(entry: BallotEntry) -> None:
        heard.append(entry)
        if len(heard) == 2:
            straggler.release_after_turns()

    return await _decide(fitted, members, judge, rules, on_vote=on_vote)


async def _decide(
    fitted: Snapshot | None, members: dict[str, Member], judge: Judge | None, rules: dict[str, Any], **more: Any
) -> Verdict:
    around = replace(resources(members, judge=judge, **rules), snapshots=lambda _cls: fitted)
    return (await decide(request(), around, **more)).verdict


def was_cut(verdict: Verdict) -> bool:
    return verdict.ballot[2].label_kind is LabelKind.CANCELLED


async def test_a_vote_that_cannot_change_the_answer_is_not_waited_for() -> None:
    """Two agree, and whatever the third says their answer stays accepted: it is cut off, labelled and counted."""
    log, fitted = MemoryLog(), snapshot(0.1)
    members = {name: member(name, says("B")) for name in "abc"}
    straggler = Late("c", says("A"))
    members["c"] = Member(members["c"].policy, straggler)
    verdict = await _decide(fitted, members, None, {}, log=log)
    assert (verdict.status, verdict.answer) == (Status.ACCEPTED, "B")
    cut = verdict.ballot[2]
    assert (cut.label_kind, cut.failure, cut.attempts) == (LabelKind.CANCELLED, Failure.CANCELLED, 1)
    assert log.answers["panel:c"].failure is Failure.CANCELLED
    straggler.released.set()
    again = await _decide(fitted, members, None, {}, log=log)
    assert again.ballot == verdict.ballot, "what was cut off stays cut off, and nobody is asked twice"
    assert straggler.calls == 0


@pytest.mark.parametrize("threshold", [0.1, 0.8, 0.95, 0.99])
@pytest.mark.parametrize("first", ["BB", "AB"])
@pytest.mark.parametrize("rules", [{}, {"on_disagreement": {"reasoning": "review"}}, {"review": False}])
async def test_no_cut_vote_could_have_changed_the_route(threshold: float, first: str, rules: dict[str, Any]) -> None:
    """Brute force: where the third vote is cut off, everything it might have said ends on the same route and answer."""
    fitted, heard = snapshot(threshold), [says(one) for one in first]
    full = [await decided(fitted, *heard, said, **rules) for said in SAID]
    ends = {(one.route, str(one.answer)) for one in full}
    quick = await late(fitted, *heard, says("A"), **rules)
    if was_cut(quick):
        assert ends == {(quick.route, str(quick.answer))}
    else:
        assert len(ends) > 1 or {route for route, _ in ends} == {Route.ARBITRATE}, "waited for nothing"


async def test_some_votes_are_cut_off_and_some_are_waited_for() -> None:
    """Sure enough to accept, not sure enough, and a dispute that the policy gives to a person whoever wins it."""
    assert was_cut(await late(snapshot(0.1), says("B"), says("B"), says("A")))
    assert not was_cut(await late(snapshot(0.99), says("B"), says("B"), says("A")))
    disputed: dict[str, Any] = {"on_disagreement": {"reasoning": "review"}}
    assert was_cut(await late(snapshot(0.1), says("A"), says("B"), says("C"), **disputed))


@pytest.mark.parametrize("rules", [{"audit_rate": 1.0}, {"exploration_rate": 1.0}])
async def test_audited_and_explored_requests_hear_everybody(rules: dict[str, Any]) -> None:
    verdict = await late(snapshot(0.1), says("B"), says("B"), says("A"), **rules)
    assert verdict.ballot[2].label == "A"


@pytest.mark.parametrize("planless", [True, False])
async def test_without_a_plan_everybody_is_waited_for(planless: bool) -> None:
    fitted = snapshot(0.1).with_changes(plans=()) if planless else None
    verdict = await late(fitted, says("B"), says("B"), says("A"))
    assert verdict.ballot[2].label == "A"


async def test_a_sure_dissenter_is_waited_for() -> None:
    """Its confidence could make it a dispute of sure members, which goes to a person whatever the certificate says."""
    verdict = await late(snapshot(0.1), says("B", 1.0), says("B", 1.0), says("A", 1.0), confidence_bar=0.6)
    assert verdict.ballot[2].label == "A"
    assert (verdict.disagreement.kind, verdict.route) == (Kind.HIGH_CONFIDENCE, Route.REVIEW)


async def test_a_dispute_waits_for_all_its_sides() -> None:
    """The route would be the arbiter's whatever the third says, but not what is put before it."""
    judge = Judge("decided", "A")
    verdict = await late(snapshot(0.999), says("A"), says("B"), says("C"), judge=judge)
    assert verdict.route is Route.ARBITRATE
    assert len(judge.disputes[0].candidates) == 3


def test_all_that_may_be_said_is_tried() -> None:
    """One member without a curve: 5 ways to say nothing and 4 options; with one, each option surely, too."""
    known = ballot(0, 0, None)
    plain, sure = (list(stragglers.possible(known, {"c"}, curves) or ()) for curves in (set(), {"c"}))
    assert (len(plain), len(sure)) == (9, 13)
    assert plain[0].entries[2].label_kind is LabelKind.CANCELLED
    assert {one.entries[2].cluster for one in plain} == {None, 0, 1, 2, 3}
    assert {one.entries[2].confidence for one in sure} == {None, 1.0}
    assert all(one.entries[:2] == known.entries[:2] for one in [*plain, *sure])


def test_what_cannot_be_listed_is_not() -> None:
    """Open answers may be anything, and two sure members may say 13 × 13 things."""
    assert stragglers.possible(ballot(0, 0, None, open_set=True), {"c"}, set()) is None
    assert stragglers.possible(ballot(0, None, None), {"b", "c"}, {"b", "c"}) is None
    both = stragglers.possible(ballot(0, None, None, candidates=2), {"b", "c"}, set())
    assert len(list(both or ())) == 49
