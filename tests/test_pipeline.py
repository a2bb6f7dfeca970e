"""decide(): from a request to everything that is published, with scripted models."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from calibration.fitting import fit
from calibration.snapshot import Snapshot, SnapshotCertificate
from consensus.dispute import Dispute
from consensus.errors import Malformed, ModelError, StoreUnavailable
from consensus.models import Member
from consensus.models.protocol import Budget, CallLog, MemoryLog
from consensus.pipeline import Resources, decide
from consensus.policy import BudgetPolicy, PanelPolicy, Policy
from consensus.types import (
    Answer,
    Arbitration,
    BallotEntry,
    Failure,
    Kind,
    LabelKind,
    Route,
    Status,
)
from tests.ballots import policy, request
from tests.calibration.tables import independent
from tests.models_fake import Scripted, member, says

NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)


class Judge:
    """An arbiter that always rules the same way and remembers what it was shown."""

    def __init__(self, decision: str | None, label: Any = None) -> None:
        self.decision = decision
        self.label = label
        self.disputes: list[Dispute] = []

    async def arbitrate(self, dispute: Dispute, *, log: CallLog, deadline: float, budget: Budget) -> Arbitration | None:
        self.disputes.append(dispute)
        if self.decision is None:
            return None
        return Arbitration.model_validate(
            {"arbiter": "judge", "family": "far", "decision": self.decision, "label": self.label}
        )


def resources(members: Mapping[str, Member], *, judge: Judge | None = None, **changes: Any) -> Resources:
    rules = Policy.model_validate({**policy().model_dump(), "arbiters": ("judge",) if judge else (), **changes})
    panel = PanelPolicy(name="main", models=tuple(members), quorum=2, min_families=2)
    return Resources(members, {"main": panel}, {"default": rules}, arbiters=judge, clock=lambda: NOW)


def members(*replies: object) -> dict[str, Member]:
    return {name: member(name, reply) for name, reply in zip("abcde", replies, strict=False)}


async def test_a_unanimous_panel_without_a_snapshot_goes_to_a_person_with_no_confidence() -> None:
    decision = await decide(request(), resources(members(says("B"), says("B"), says("B"))), place="3")
    verdict = decision.verdict
    assert (verdict.status, verdict.route, verdict.answer) == (Status.PENDING_REVIEW, Route.REVIEW, None)
    assert verdict.confidence is None
    assert verdict.snapshot_version is None
    assert verdict.disagreement.kind is Kind.NONE
    assert verdict.disagreement.effective_votes == pytest.approx(3 / 1.86)
    assert verdict.cost == pytest.approx(0.03)
    assert verdict.cost_multiple == pytest.approx(3.0)
    assert decision.review is not None
    assert decision.review.task_id.startswith("3:")
    assert [c.label for c in decision.review.candidates] == ["B"]
    assert decision.signal is not None
    assert decision.signal.top == "B"
    assert decision.signal.posterior is None


async def test_low_stakes_unanimous_is_accepted_uncertified_where_the_policy_says_so() -> None:
    found = await decide(
        request(stakes="low"), resources(members(says("B"), says("B"), says("B")), accept_uncertified="unanimous")
    )
    assert (found.verdict.status, found.verdict.answer, found.verdict.uncertified) == (Status.ACCEPTED, "B", True)
    assert found.review is None


async def test_a_member_that_was_not_asked_breaks_unanimity() -> None:
    panel = members(says("B"), says("B"), ModelError(Failure.NOT_RECORDED, "404"))
    found = await decide(request(stakes="low"), resources(panel, accept_uncertified="unanimous"))
    assert found.verdict.status is Status.PENDING_REVIEW


async def test_one_abstention_breaks_unanimity() -> None:
    panel = members(says("B"), says("B"), '{"answer": null, "confidence": 0.1}')
    found = await decide(request(stakes="low"), resources(panel, accept_uncertified="unanimous"))
    assert found.verdict.status is Status.PENDING_REVIEW
    assert [entry.label_kind for entry in found.verdict.ballot] == [
        LabelKind.ANSWER, LabelKind.ANSWER, LabelKind.ABSTAINED,
    ]  # fmt: skip


async def test_a_dispute_at_standard_stakes_is_settled_by_the_arbiter() -> None:
    judge = Judge("decided", "A")
    found = await decide(request(), resources(members(says("B"), says("B"), says("A")), judge=judge))
    assert (found.verdict.status, found.verdict.answer) == (Status.ARBITRATED, "A")
    assert found.verdict.confidence is None
    sides = {side.label: side.families for side in judge.disputes[0].candidates}
    assert sides == {"A": {"family-c"}, "B": {"family-a", "family-b"}}


@pytest.mark.parametrize("decision", ["flip", "tie", "none_correct", "abstain", "failed", None])
async def test_an_arbiter_in_doubt_leaves_it_to_a_person(decision: str | None) -> None:
    found = await decide(request(), resources(members(says("B"), says("B"), says("A")), judge=Judge(decision)))
    assert (found.verdict.status, found.verdict.answer) == (Status.PENDING_REVIEW, None)
    assert found.review is not None


@pytest.mark.parametrize("stakes", ["high", "critical"])
async def test_high_stakes_are_never_settled_by_an_arbiter_alone(stakes: str) -> None:
    judge = Judge("decided", "A")
    found = await decide(request(stakes=stakes), resources(members(says("B"), says("B"), says("A")), judge=judge))
    assert found.verdict.status is Status.PENDING_REVIEW
    assert "stakes_need_a_person" in found.verdict.reasons
    assert found.verdict.arbitration is not None


async def test_failures_stay_on_the_ballot_and_below_quorum_nothing_is_accepted() -> None:
    down = ModelError(Failure.UNAVAILABLE, "503")
    panel = members(says("B"), down, down)
    found = await decide(request(stakes="low"), resources(panel, accept_uncertified="unanimous"))
    verdict = found.verdict
    assert (verdict.status, verdict.degraded, verdict.disagreement.kind) == (
        Status.PENDING_REVIEW, True, Kind.DEGRADED,
    )  # fmt: skip
    assert [entry.failure for entry in verdict.ballot] == [None, Failure.UNAVAILABLE, Failure.UNAVAILABLE]
    assert verdict.disagreement.agreement is None


async def test_every_call_failed() -> None:
    """With a queue a person gets it; without one the verdict says failed."""
    down = ModelError(Failure.UNAVAILABLE, "503")
    with_queue = await decide(request(), resources(members(down, down, down)))
    assert with_queue.verdict.status is Status.PENDING_REVIEW
    without = await decide(request(), resources(members(down, down, down), review=False))
    assert (without.verdict.status, without.review) == (Status.FAILED, None)


async def test_a_request_that_expired_before_it_came_is_abstained_without_a_call() -> None:
    panel = members(says("B"), says("B"), says("B"))
    found = await decide(request(deadline_ms=1000), resources(panel), received_at=NOW - timedelta(seconds=2))
    assert (found.verdict.status, found.verdict.reasons) == (Status.ABSTAINED, ("deadline_expired",))
    assert [entry.label_kind for entry in found.verdict.ballot] == [LabelKind.NOT_ASKED] * 3
    assert [model.model.calls for model in panel.values() if isinstance(model.model, Scripted)] == [0, 0, 0]
    assert found.review is None


async def test_answers_that_were_paid_for_count_after_the_deadline() -> None:
    """A store that came back too late, or a crash, does not turn paid answers into nothing; nobody new is asked."""
    panel = members(says("B"), says("B"), says("B"))
    log = MemoryLog()
    await decide(request(), resources(panel), log=log)
    del log.answers["panel:c"]
    late = await decide(request(deadline_ms=1000), resources(panel), received_at=NOW - timedelta(seconds=2), log=log)
    assert [entry.label_kind for entry in late.verdict.ballot] == [LabelKind.ANSWER] * 2 + [LabelKind.NOT_ASKED]
    assert "deadline_expired" not in late.verdict.reasons
    assert [model.model.calls for model in panel.values() if isinstance(model.model, Scripted)] == [1, 1, 1]


async def test_at_the_deadline_the_panel_closes_with_what_is_there() -> None:
    slow = {**members(says("B"), says("B")), "c": member("c", says("A"), delay_s=60)}
    found = await decide(request(deadline_ms=150), resources(slow), received_at=NOW)
    assert [entry.failure for entry in found.verdict.ballot] == [None, None, Failure.TIMEOUT]
    assert found.verdict.status is Status.PENDING_REVIEW


async def test_an_answer_that_was_recorded_is_not_asked_for_again() -> None:
    panel = members(says("B"), says("B"), says("B"))
    log = MemoryLog()
    first = await decide(request(), resources(panel), log=log)
    again = await decide(request(), resources(panel), log=log)
    assert again == first
    assert [m.model.calls for m in panel.values() if isinstance(m.model, Scripted)] == [1, 1, 1]


async def test_recorded_answers_count_against_the_budget() -> None:
    panel = members(says("B"), says("B"), says("B"))
    spent = Answer(model="a", family="family-a", text='{"answer": "B", "confidence": 0.5}', attempts=2, cost=0.5)
    found = await decide(
        request(), resources(panel, budget=BudgetPolicy(calls=3).model_dump()), log=MemoryLog({"panel:a": spent})
    )
    kinds = sorted(entry.label_kind for entry in found.verdict.ballot)
    assert kinds == [LabelKind.ANSWER, LabelKind.ANSWER, LabelKind.FAILED]
    assert sorted(str(entry.failure) for entry in found.verdict.ballot) == ["None", "None", "budget"]


async def test_a_model_without_a_record_was_not_asked() -> None:
    missing = ModelError(Failure.NOT_RECORDED, "404")
    found = await decide(request(), resources(members(says("B"), says("B"), missing)))
    assert found.verdict.ballot[2].label_kind is LabelKind.NOT_ASKED
    assert found.verdict.ballot[2].failure is None
    assert not found.verdict.degraded


async def test_votes_are_streamed_as_they_arrive() -> None:
    seen: list[BallotEntry] = []
    await decide(request(), resources(members(says("B"), says("A"), says("B"))), on_vote=seen.append)
    assert sorted((entry.model, entry.label) for entry in seen) == [("a", "B"), ("b", "A"), ("c", "B")]


async def test_an_audit_draw_makes_a_task_of_an_accepted_answer() -> None:
    panel = resources(members(says("B"), says("B"), says("B")), accept_uncertified="unanimous", audit_rate=1.0)
    found = await decide(request(stakes="low"), panel)
    assert found.verdict.status is Status.ACCEPTED
    assert (found.verdict.audit.selected, found.verdict.audit.propensity) == (True, 1.0)
    assert found.review is not None


async def test_the_task_is_blind() -> None:
    found = await decide(request(), resources(members(says("B"), says("A"), says("B"))))
    assert found.review is not None
    text = found.review.model_dump_json()
    assert not any(word in text for word in ("family", "confidence", "votes", "a-v1"))
    assert sorted(str(c.label) for c in found.review.candidates) == ["A", "B"]


async def test_an_unknown_policy_is_refused_by_its_field() -> None:
    with pytest.raises(Malformed) as caught:
        await decide(request(policy="nope"), resources(members(says("B"), says("B"))))
    assert (caught.value.field, caught.value.code) == ("policy", "unknown_policy")


async def test_a_store_that_does_not_answer_is_the_callers_to_retry() -> None:
    class Down(MemoryLog):
        async def record(self, key: str, answer: Answer, *, deadline: float = 0.0) -> None:
            raise StoreUnavailable("the store does not answer")

    with pytest.raises(StoreUnavailable):
        await decide(request(), resources(members(says("B"), says("B"), says("B"))), log=Down())


def certified(*, suspended: tuple[str, ...] = ()) -> Snapshot:
    """Fitted on three members who are mostly right, with a certificate of the class ``default`` for any confidence."""
    labelled = independent(300, (0.9, 0.9, 0.9), options=3)
    known = replace(labelled, models=("a", "b", "c"), domains=("law",) * 300)
    fitted = fit(known, fitted_at=NOW)
    assert fitted is not None
    certificate = SnapshotCertificate.model_validate(
        {
            "class": "default", "alpha": 0.1, "delta": 0.05, "n": 300, "method": "growing_region", "threshold": 0.1,
            "snapshot_version": fitted.version, "issued_at": NOW, "revoked_by": "monitor",
        }
    )  # fmt: skip
    return fitted.with_changes(certificates=(certificate,), suspended=suspended)


@pytest.mark.parametrize(("suspended", "status"), [((), Status.ACCEPTED), (("default",), Status.PENDING_REVIEW)])
async def test_a_class_that_its_snapshot_suspends_is_not_accepted_under_its_certificate(
    suspended: tuple[str, ...], status: Status
) -> None:
    bare = resources(members(says("B"), says("B"), says("B")))
    fitted = certified(suspended=suspended)
    verdict = (await decide(request(), replace(bare, snapshots=lambda _cls: fitted))).verdict
    assert (verdict.status, "class_suspended" in verdict.reasons) == (status, bool(suspended))
