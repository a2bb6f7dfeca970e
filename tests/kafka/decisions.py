"""Requests and decisions for tests of the worker: plain, valid, and without a model in sight."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from consensus.errors import Malformed
from consensus.models.protocol import CallLog
from consensus.types import (
    Answer,
    AuditDraw,
    BallotEntry,
    Candidate,
    Decision,
    Disagreement,
    Kind,
    LabelKind,
    Request,
    ReviewTask,
    Route,
    Signal,
    Status,
    Verdict,
)

DECIDED_AT = datetime(2026, 1, 1, tzinfo=UTC)


def request(id_: str = "r1", **fields: Any) -> Request:
    """A choice between a and b."""
    plain: dict[str, Any] = {
        "id": id_,
        "domain": "law",
        "stakes": "standard",
        "prompt": "a or b?",
        "answer": {"type": "choice", "options": ["a", "b"]},
    }
    return Request.model_validate(plain | fields)


def entry(label: str = "a") -> BallotEntry:
    return BallotEntry(model="m", family="f", label_kind=LabelKind.ANSWER, label=label, cluster=0)


def decision(
    asked: Request,
    place: str = "0",
    *,
    status: Status = Status.PENDING_REVIEW,
    audit: bool = False,
    at: datetime = DECIDED_AT,
) -> Decision:
    """A decision of version 1: pending with a review task by default, accepted ``a`` otherwise."""
    answer = "a" if status is Status.ACCEPTED else None
    route = Route.ACCEPT if status is Status.ACCEPTED else Route.REVIEW
    draw = AuditDraw(selected=audit, propensity=0.25)
    verdict = Verdict(
        request_id=asked.id,
        tenant=asked.tenant,
        version=1,
        status=status,
        answer=answer,
        uncertified=False,
        route=route,
        disagreement=Disagreement(
            kind=Kind.REASONING, effective_votes=1.0, effective_votes_source="assumed", entropy=0.0
        ),
        ballot=(entry(),),
        degraded=False,
        audit=draw,
        policy_version="default@0",
        decided_at=at,
    )
    signal = Signal(
        event_id=f"{asked.tenant}-{asked.id}-1",
        request_id=asked.id,
        tenant=asked.tenant,
        version=1,
        domain=asked.domain,
        stakes=asked.stakes,
        policy="default",
        class_="default",
        answer=asked.answer,
        candidates=("a", "b"),
        ballot=(entry(),),
        kind=Kind.REASONING,
        route=route,
        status=status,
        full_panel=True,
        audit=draw,
        policy_version="default@0",
        decided_at=at,
    )
    wants_person = status is Status.PENDING_REVIEW or audit
    return Decision(verdict=verdict, signal=signal, review=task(asked, place) if wants_person else None)


def task(asked: Request, place: str = "0", *, overlap: int = 1) -> ReviewTask:
    digest = hashlib.sha256(f"{asked.tenant}\x00{asked.id}".encode()).hexdigest()[:16]
    return ReviewTask(
        task_id=f"{place}:{digest}",
        request_id=asked.id,
        tenant=asked.tenant,
        domain=asked.domain,
        stakes=asked.stakes,
        question=asked.prompt or "",
        answer=asked.answer,
        candidates=(Candidate(id="c1", label="a"), Candidate(id="c2", label="b")),
        due_at=DECIDED_AT + timedelta(hours=1),
        overlap=overlap,
        created_at=DECIDED_AT,
    )


class Decider:
    """A stand-in for the pipeline: one paid call for each request, recorded like a real one.

    ``paid`` counts calls by request id; ``hold`` makes requests wait until `release`; ``errors`` are raised, one at a
    time, before anything is paid; any named policy is unknown; requests in ``large`` get a verdict that no broker
    takes.
    """

    def __init__(self, **fields: Any) -> None:
        self.fields = fields
        self.paid: dict[str, int] = {}
        self.errors: dict[str, list[BaseException]] = {}
        self.held: dict[str, asyncio.Event] = {}
        self.began: set[str] = set()
        self.received: dict[str, datetime] = {}
        self.large: set[str] = set()
        self.overlap = 1

    def hold(self, *ids: str) -> None:
        for id_ in ids:
            self.held[id_] = asyncio.Event()

    def release(self, *ids: str) -> None:
        for id_ in ids or tuple(self.held):
            self.held.pop(id_).set()

    async def __call__(
        self,
        request: Request,
        *,
        received_at: datetime,
        log: CallLog,
        place: str,
        on_vote: Callable[[BallotEntry], None] | None,
    ) -> Decision:
        self.began.add(request.id)
        self.received[request.id] = received_at
        if self.errors.get(request.id):
            raise self.errors[request.id].pop(0)
        if request.policy is not None:
            raise Malformed("unknown policy", field="policy", code="unknown_policy")
        if await log.paid("panel:m") is None:
            self.paid[request.id] = self.paid.get(request.id, 0) + 1
            await log.record("panel:m", Answer(model="m", family="f", text="a"))
        if on_vote is not None:
            on_vote(entry())
        if request.id in self.held:
            await self.held[request.id].wait()
        made = decision(request, place, at=datetime.now(UTC), **self.fields)
        if made.review is not None:
            made = made.model_copy(update={"review": task(request, place, overlap=self.overlap)})
        if request.id not in self.large:
            return made
        return made.model_copy(update={"verdict": made.verdict.model_copy(update={"reasons": ("x" * 200_000,)})})
