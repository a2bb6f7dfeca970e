"""A person's ruling → the next version of the verdict and the outcome. Pure.

The first valid ruling decides; a task that wants two people is decided by the first two who agree, else by the third.
What a ruling cannot change, it leaves: later rulings are recorded and have no effect, and nothing automatic ever makes
a version after a person's.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from consensus import answers
from consensus.answers import Sameness
from consensus.errors import Malformed
from consensus.types import (
    AnswerSpec,
    LabelValue,
    Outcome,
    OutcomeSource,
    ReviewTask,
    Ruling,
    RulingDecision,
    Status,
    Verdict,
)

REASON = "reviewer_"
"""Reason codes of verdicts that a person made: ``reviewer_answer``, ``reviewer_none_correct`` …"""


def checked(task: ReviewTask, ruling: Ruling) -> Ruling:
    """The ruling with its answer in canonical form. Raises Malformed when it is about another task or off its spec."""
    if ruling.task_id != task.task_id:
        raise Malformed(f"the request has no task {ruling.task_id!r}", field="task_id", code="unknown_task")
    if ruling.decision is not RulingDecision.ANSWER:
        return ruling
    return ruling.model_copy(update={"answer": answers.check(task.answer, ruling.answer)})


def decisive(task: ReviewTask, earlier: Sequence[Ruling], ruling: Ruling) -> bool:
    """Whether this ruling settles the task, given the checked rulings that came before it.

    Abstentions do not count, nor does a second ruling of the same person. The caller sees to it that nothing settled is
    settled again.
    """
    if ruling.decision is RulingDecision.ABSTAIN:
        return False
    others = {other.reviewer: other for other in reversed(earlier) if other.decision is not RulingDecision.ABSTAIN}
    if ruling.reviewer in others:
        return False
    if task.overlap == 1 or len(others) >= 2:
        return True
    return any(agree(task.answer, other, ruling) for other in others.values())


def agree(spec: AnswerSpec, a: Ruling, b: Ruling) -> bool:
    """Whether two rulings decide the same; undecided is not agreement."""
    if a.decision is not b.decision:
        return False
    return a.decision is not RulingDecision.ANSWER or same(spec, a.answer, b.answer)


def same(spec: AnswerSpec, a: LabelValue, b: LabelValue) -> bool:
    return answers.sameness(spec, a, b) is Sameness.SAME


def next_version(spec: AnswerSpec, latest: Verdict, ruling: Ruling) -> Verdict | None:
    """The version that a decisive ruling makes; None when an audit agrees with the answer that was released."""
    released = latest.status in (Status.ACCEPTED, Status.ARBITRATED)
    if released and ruling.decision is RulingDecision.ANSWER and same(spec, latest.answer, ruling.answer):
        return None
    answered = ruling.decision is RulingDecision.ANSWER
    return latest.model_copy(
        update={
            "version": latest.version + 1,
            "supersedes": latest.version,
            "status": Status.REVIEWED if answered else Status.ABSTAINED,
            "answer": ruling.answer,
            "confidence": None,
            "certificate": None,
            "uncertified": False,
            "reasons": (f"{REASON}{ruling.decision.value}",),
            "decided_at": ruling.decided_at,
        }
    )


def outcome_of(first: Verdict, ruling: Ruling) -> Outcome | None:
    """Ground truth from a decisive ruling: None when the person had seen the models' answers.

    A case found unanswerable, wrong in all candidates or injected has the label ``null``. The source is an audit where
    the answer had been released; a case that went to a person anyway is reviewed with certainty. An audit that was not
    drawn belongs to a campaign, whose audits have no propensity.
    """
    if not ruling.blind:
        return None
    pending = first.status is Status.PENDING_REVIEW
    drawn = first.audit.propensity if first.audit.selected and first.audit.propensity > 0 else None
    identity = f"{ruling.tenant}\x00{ruling.request_id}\x00{ruling.task_id}"
    return Outcome(
        outcome_id=hashlib.sha256(identity.encode()).hexdigest()[:32],
        request_id=ruling.request_id,
        tenant=ruling.tenant,
        label=ruling.answer,
        source=OutcomeSource.BLIND_REVIEW if pending else OutcomeSource.AUDIT,
        propensity=1.0 if pending else drawn,
        observed_at=ruling.decided_at,
    )
