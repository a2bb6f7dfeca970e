"""decide(): the whole flow of a request on one page. No Kafka in it.

prompt ► panel ► read ► ballot ► assess (agreement ► posterior ► kind ► route) ─ extend ► panel
                                                                               ├ arbitrate ► arbiters
                                                                               └ accept, review, abstain
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from calibration.sampling import drawn
from calibration.snapshot import Snapshot
from consensus import policy
from consensus.answers.injection import marks_of_context
from consensus.case import Case, nonce_of
from consensus.decision import decision_of
from consensus.deliberation import Deliberation, OnVote
from consensus.dispute import Arbiters
from consensus.models import Member
from consensus.models.protocol import CallLog, MemoryLog
from consensus.policy import PanelPolicy, Policy
from consensus.routing import Routing, to_person
from consensus.settings import ReviewSettings
from consensus.types import (
    Arbitration,
    AuditDraw,
    Decision,
    Request,
    Route,
    Stakes,
)


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Resources:
    """What deciding needs.

    ``snapshots``: the snapshot in use for a class; ``suspended``: why a class is on hold, beyond what its
    snapshot says.
    """

    members: Mapping[str, Member]
    panels: Mapping[str, PanelPolicy]
    policies: dict[str, Policy]
    arbiters: Arbiters | None = None
    snapshots: Callable[[str], Snapshot | None] = lambda _cls: None
    suspended: Callable[[str], str | None] = lambda _cls: None
    review: ReviewSettings = field(default_factory=ReviewSettings)
    clock: Callable[[], datetime] = utc_now


async def decide(
    request: Request,
    resources: Resources,
    *,
    received_at: datetime | None = None,
    log: CallLog | None = None,
    place: str = "local",
    on_vote: OnVote | None = None,
) -> Decision:
    """Decide one request.

    ``received_at`` is when the deadline began to count, ``log`` holds the answers already paid for, ``place`` begins
    the id of a review task (the Kafka worker puts its partition there). Raises Malformed for an unknown policy, Retry
    when the log's store does not answer; a model that fails never raises.
    """
    case = open_case(request, resources, received_at, place)
    left = (case.deadline - resources.clock()).total_seconds()
    deadline = asyncio.get_running_loop().time() + left
    deliberation = Deliberation(case, resources.members, resources.arbiters, log or MemoryLog(), deadline, on_vote)
    assessment = await deliberation.hear_panel()
    arbitration = None
    if assessment.routing.route is Route.ARBITRATE:
        arbitration = await deliberation.arbitrate(assessment)
        assessment = replace(assessment, routing=after_arbitration(case, assessment.routing, arbitration))
    return decision_of(case, assessment, arbitration, cost=deliberation.cost, decided_at=resources.clock())


def open_case(request: Request, resources: Resources, received_at: datetime | None, place: str) -> Case:
    """Fix everything that must not change while the request is decided: policy, snapshot, draws, deadline."""
    chosen = policy.select(resources.policies, request)
    started = resources.clock()
    cls = chosen.class_of(request.domain)
    deadline = (received_at or started) + timedelta(milliseconds=request.deadline_ms or chosen.deadline_ms)
    snapshot = resources.snapshots(cls)
    audited = drawn("audit", request.tenant, request.id, chosen.audit_rate)
    return Case(
        request=request,
        policy=chosen,
        panel=resources.panels[chosen.panel],
        cls=cls,
        snapshot=snapshot,
        suspended=resources.suspended(cls) or _suspended_by(snapshot, cls),
        nonce=nonce_of(request),
        place=place,
        started=started,
        deadline=deadline,
        audit=AuditDraw(selected=audited, propensity=chosen.audit_rate),
        full_panel=audited or drawn("explore", request.tenant, request.id, chosen.exploration_rate),
        context_marks=marks_of_context(request),
        due_minutes=resources.review.due_minutes[request.stakes],
    )


def _suspended_by(snapshot: Snapshot | None, cls: str) -> str | None:
    return "class_suspended" if snapshot is not None and cls in snapshot.suspended else None


def after_arbitration(case: Case, routing: Routing, arbitration: Arbitration | None) -> Routing:
    """The route once an arbiter was asked: its decision stands at low and standard stakes, doubt goes to a person."""
    if arbitration is None:
        return to_person(case.policy, *routing.reasons, "no_eligible_arbiter")
    if arbitration.decision != "decided":
        return to_person(case.policy, *routing.reasons, f"arbiter_{arbitration.decision}")
    if case.request.stakes in (Stakes.HIGH, Stakes.CRITICAL):
        return to_person(case.policy, *routing.reasons, "stakes_need_a_person")
    return Routing(Route.ARBITRATE, (*routing.reasons, "arbiter_decided"))
