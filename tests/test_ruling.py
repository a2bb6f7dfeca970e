"""What a person's ruling makes of a verdict."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from consensus.errors import Malformed
from consensus.ruling import checked, decisive, next_version, outcome_of
from consensus.types import OutcomeSource, Ruling, RulingDecision, Status
from tests.kafka.decisions import decision, request, task

ASKED = request("r1")
TASK = task(ASKED)
PENDING = decision(ASKED).verdict
ACCEPTED = decision(ASKED, status=Status.ACCEPTED, audit=True).verdict
WHEN = datetime(2026, 2, 1, tzinfo=UTC)


def ruling(choice: str | None = "b", reviewer: str = "ann", *, decided: str = "answer", **fields: object) -> Ruling:
    """An answer by default, or another decision without one."""
    plain = {
        "task_id": TASK.task_id,
        "request_id": "r1",
        "reviewer": reviewer,
        "decision": decided,
        "answer": choice if decided == "answer" else None,
        "blind": True,
        "decided_at": WHEN,
    }
    return Ruling.model_validate(plain | fields)


def test_an_answer_makes_the_next_version() -> None:
    """The verdict becomes reviewed with the person's answer, supersedes the one before and claims no confidence."""
    verdict = next_version(TASK.answer, PENDING, ruling("b"))
    assert verdict is not None
    assert (verdict.version, verdict.supersedes, verdict.status, verdict.answer) == (2, 1, Status.REVIEWED, "b")
    assert (verdict.confidence, verdict.certificate, verdict.uncertified) == (None, None, False)
    assert verdict.reasons == ("reviewer_answer",)
    assert verdict.decided_at == WHEN
    assert verdict.ballot == PENDING.ballot


@pytest.mark.parametrize("decided", ["none_correct", "unanswerable", "injection"])
@pytest.mark.parametrize("before", [PENDING, ACCEPTED])
def test_no_answer_abstains(decided: str, before: object) -> None:
    """Whatever was released or pending, a case that a person finds without a right answer is abstained."""
    verdict = next_version(TASK.answer, before, ruling(decided=decided))  # type: ignore[arg-type]  # a Verdict
    assert verdict is not None
    assert (verdict.status, verdict.answer, verdict.reasons) == (Status.ABSTAINED, None, (f"reviewer_{decided}",))


def test_an_audit_that_agrees_changes_nothing() -> None:
    """The released answer stands; only the outcome is new."""
    assert next_version(TASK.answer, ACCEPTED, ruling("a")) is None
    outcome = outcome_of(ACCEPTED, ruling("a"))
    assert outcome is not None
    assert (outcome.label, outcome.source, outcome.propensity) == ("a", OutcomeSource.AUDIT, 0.25)


def test_an_audit_that_contradicts_makes_a_version() -> None:
    """A released answer that a person finds wrong is replaced."""
    verdict = next_version(TASK.answer, ACCEPTED, ruling("b"))
    assert verdict is not None
    assert (verdict.status, verdict.answer) == (Status.REVIEWED, "b")


def test_a_pending_case_gives_a_reviewed_outcome() -> None:
    """Cases that go to a person anyway are observed with certainty; the id follows from the task alone."""
    outcome = outcome_of(PENDING, ruling("b"))
    assert outcome is not None
    assert (outcome.label, outcome.source, outcome.propensity) == ("b", OutcomeSource.BLIND_REVIEW, 1.0)
    assert outcome.observed_at == WHEN
    assert outcome_of(PENDING, ruling("a", "bob")) == outcome.model_copy(update={"label": "a"})


def test_who_has_seen_the_votes_gives_no_outcome() -> None:
    """An unblinded ruling may decide, but it is no ground truth."""
    assert outcome_of(PENDING, ruling("b", blind=False)) is None


@pytest.mark.parametrize("fields", [{"task_id": "0:other"}, {"answer": "c"}, {"answer": 3}])
def test_a_ruling_that_does_not_fit_is_refused(fields: dict[str, Any]) -> None:
    """Another task, or an answer that the spec does not have."""
    with pytest.raises(Malformed):
        checked(TASK, ruling(**fields))


def test_the_answer_becomes_canonical() -> None:
    """Labels come sorted, whatever order the reviewer gave them in."""
    asked = request("r1", answer={"type": "labels", "options": ["x", "y", "z"]})
    assert checked(task(asked), ruling(answer=["z", "x"])).answer == ["x", "z"]


ABSTAINS = ruling(decided="abstain")


@pytest.mark.parametrize(
    ("overlap", "earlier", "new", "expected"),
    [
        pytest.param(1, [], ruling("a"), True, id="one is enough"),
        pytest.param(1, [], ABSTAINS, False, id="an abstention decides nothing"),
        pytest.param(1, [ABSTAINS], ruling("a", "bob"), True, id="the next person decides"),
        pytest.param(2, [], ruling("a"), False, id="the first of two"),
        pytest.param(2, [ruling("a")], ruling("a", "bob"), True, id="two agree"),
        pytest.param(2, [ruling("a")], ruling("b", "bob"), False, id="two differ"),
        pytest.param(2, [ruling("a")], ruling("a", "ann"), False, id="the same person twice"),
        pytest.param(2, [ruling("a"), ruling("b", "bob")], ruling("b", "cid"), True, id="the third person"),
        pytest.param(
            2, [ruling("a"), ruling("b", "bob")], ruling(None, "cid", decided="unanswerable"), True, id="so too"
        ),
        pytest.param(2, [ruling("a"), ABSTAINS], ruling("b", "bob"), False, id="abstentions do not count"),
        pytest.param(2, [ruling("a")], ruling(None, "bob", decided="injection"), False, id="differ in kind"),
        pytest.param(
            2, [ruling(decided="injection")], ruling(decided="injection", reviewer="bob"), True, id="agree in kind"
        ),
    ],
)
def test_who_decides(overlap: int, earlier: list[Ruling], new: Ruling, expected: bool) -> None:
    """The first ruling of a task for one; two who agree, else the third person, of a task for two."""
    assert decisive(task(ASKED, overlap=overlap), earlier, new) is expected


def test_numbers_agree_within_their_tolerance() -> None:
    """An audit's number within the tolerance is no contradiction."""
    asked = request("r1", answer={"type": "number", "abs_tolerance": 0.5})
    released = ACCEPTED.model_copy(update={"answer": 10.0})
    assert next_version(asked.answer, released, ruling(answer=10.4)) is None
    assert next_version(asked.answer, released, ruling(answer=11)) is not None


def test_every_decision_has_its_reason() -> None:
    """Reason codes follow from the decision's name."""
    for decided in RulingDecision:
        if decided is not RulingDecision.ABSTAIN:
            verdict = next_version(TASK.answer, PENDING, ruling(decided=decided.value))
            assert verdict is not None
            assert verdict.reasons == (f"reviewer_{decided.value}",)
