"""Case and assessment → everything one decision publishes: verdict, signal and, where a person is needed, a task."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta

from consensus.assessment import Assessment
from consensus.case import Case
from consensus.types import (
    Arbitration,
    BallotEntry,
    Candidate,
    Circumstances,
    Decision,
    Disagreement,
    LabelKind,
    LabelValue,
    Request,
    ReviewTask,
    Route,
    Signal,
    Stakes,
    Status,
    Verdict,
)

PRIORITY = {Stakes.LOW: 0, Stakes.STANDARD: 1, Stakes.HIGH: 2, Stakes.CRITICAL: 3}


def decision_of(
    case: Case, assessment: Assessment, arbitration: Arbitration | None, *, cost: float, decided_at: datetime
) -> Decision:
    """Version 1 of the verdict with its signal, and a review task when a person must decide or the draw fell on it.

    ``cost``: dollars spent on all calls of the request.
    """
    verdict = _verdict(case, assessment, arbitration, cost, decided_at)
    wants_person = verdict.status is Status.PENDING_REVIEW
    audited = case.audit.selected and case.policy.review and verdict.status in (Status.ACCEPTED, Status.ARBITRATED)
    return Decision(
        verdict=verdict,
        signal=_signal(case, assessment, verdict),
        review=_task(case, assessment, decided_at) if wants_person or audited else None,
    )


def top_label(assessment: Assessment) -> LabelValue:
    """The leading label whatever the route; ``None`` on a tie or without opinions."""
    top = assessment.posterior.top
    return None if top is None else assessment.ballot.candidates[top]


def _verdict(case: Case, a: Assessment, arbitration: Arbitration | None, cost: float, decided_at: datetime) -> Verdict:
    status = _status(a)
    answer = _answer(a, arbitration, status)
    return Verdict(
        request_id=case.request.id,
        tenant=case.request.tenant,
        version=1,
        status=status,
        answer=answer,
        confidence=_confidence(a, answer),
        certificate=a.routing.certificate,
        uncertified=a.routing.uncertified,
        route=a.routing.route,
        reasons=a.routing.reasons,
        disagreement=Disagreement(
            kind=a.kind,
            effective_votes=a.agreement.effective_votes,
            effective_votes_source=a.agreement.effective_votes_source,
            entropy=a.agreement.entropy,
            margin=a.agreement.margin,
            agreement=a.agreement.agreement,
        ),
        ballot=a.ballot.entries,
        dissent=tuple(e.model for e in a.ballot.entries if e.cluster is not None and e.cluster != a.posterior.top),
        degraded=a.degraded,
        arbitration=arbitration,
        audit=case.audit,
        policy_version=case.policy.version,
        snapshot_version=case.snapshot.version if case.snapshot else None,
        prompt_hash=a.prompt_hash,
        cost=cost,
        cost_multiple=_cost_multiple(a.ballot.entries, cost),
        latency_ms=max(0, int((decided_at - case.started).total_seconds() * 1000)),
        decided_at=decided_at,
    )


def _status(a: Assessment) -> Status:
    if a.routing.route is Route.ACCEPT:
        return Status.ACCEPTED
    if a.routing.route is Route.ARBITRATE:
        return Status.ARBITRATED
    if a.routing.route is Route.REVIEW:
        return Status.PENDING_REVIEW
    asked = a.ballot.asked
    all_failed = bool(asked) and all(entry.label_kind is LabelKind.FAILED for entry in asked)
    return Status.FAILED if all_failed and "no_review_queue" in a.routing.reasons else Status.ABSTAINED


def _answer(a: Assessment, arbitration: Arbitration | None, status: Status) -> LabelValue:
    if status is Status.ARBITRATED and arbitration is not None:
        return arbitration.label
    return top_label(a) if status is Status.ACCEPTED else None


def _confidence(a: Assessment, answer: LabelValue) -> float | None:
    """Calibrated probability of the top label; of an arbiter's other choice nothing calibrated is known."""
    return None if answer is not None and answer != top_label(a) else a.posterior.confidence


def _cost_multiple(entries: tuple[BallotEntry, ...], cost: float) -> float | None:
    """Cost over that of the cheapest member alone; ``None`` where no member's call has a price."""
    prices = [entry.cost for entry in entries if entry.cost > 0]
    return cost / min(prices) if prices else None


def _signal(case: Case, a: Assessment, verdict: Verdict) -> Signal:
    return Signal(
        event_id=f"{_digest(case.request, 'signal')}-{verdict.version}",
        request_id=verdict.request_id,
        tenant=verdict.tenant,
        version=verdict.version,
        domain=case.request.domain,
        stakes=case.request.stakes,
        policy=case.policy.name,
        class_=case.cls,
        answer=case.request.answer,
        candidates=a.ballot.candidates,
        posterior=a.posterior.probabilities,
        ballot=a.ballot.entries,
        kind=a.kind,
        route=verdict.route,
        status=verdict.status,
        top=top_label(a),
        confidence=a.posterior.confidence,
        full_panel=case.plan() is None,
        audit=verdict.audit,
        arbitration=verdict.arbitration,
        circumstances=Circumstances(
            suspended=case.suspended,
            expired=a.expired,
            marks=case.context_marks,
            quorum=case.panel.quorum,
            min_families=case.panel.min_families,
        ),
        policy_version=verdict.policy_version,
        snapshot_version=verdict.snapshot_version,
        prompt_hash=verdict.prompt_hash,
        cost=verdict.cost,
        decided_at=verdict.decided_at,
    )


def _task(case: Case, a: Assessment, created_at: datetime) -> ReviewTask:
    labels = [a.ballot.candidates[index] for index in sorted(a.ballot.votes())]
    return review_task(case.request, case.place, labels, created_at=created_at, due_minutes=case.due_minutes)


def review_task(
    request: Request, place: str, labels: Sequence[LabelValue], *, created_at: datetime, due_minutes: float
) -> ReviewTask:
    """A blind task: one candidate per cluster, in an order drawn by hash; no names, votes or confidences.

    ``place`` is the partition that rulings on it go to. The same request always has the same task id.
    """
    shuffled = sorted(labels, key=lambda label: _digest(request, f"shuffle\x00{label!r}"))
    return ReviewTask(
        task_id=f"{place}:{_digest(request, 'task')}",
        request_id=request.id,
        tenant=request.tenant,
        domain=request.domain,
        stakes=request.stakes,
        question=question_of(request),
        context=request.context,
        answer=request.answer,
        candidates=tuple(Candidate(id=f"c{i + 1}", label=label) for i, label in enumerate(shuffled)),
        priority=PRIORITY[request.stakes],
        due_at=created_at + timedelta(minutes=due_minutes),
        created_at=created_at,
    )


def question_of(request: Request) -> str:
    """The question as a person reads it: the prompt, or the messages with their roles."""
    if request.prompt is not None:
        return request.prompt
    return "\n\n".join(f"{message.role}: {message.content}" for message in request.messages or ())


def _digest(request: Request, purpose: str) -> str:
    text = f"{purpose}\x00{request.tenant}\x00{request.id}"
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:20]
