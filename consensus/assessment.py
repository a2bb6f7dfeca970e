"""Case and ballot → what we make of it. Pure: the same ballot and snapshot always give the same assessment (I6)."""

from __future__ import annotations

from dataclasses import dataclass

from consensus.aggregation import Posterior, aggregate
from consensus.agreement import Agreement, agree
from consensus.ballot import Ballot
from consensus.case import Case
from consensus.certificate import standing
from consensus.kinds import classify, degraded
from consensus.routing import Routing, Situation, route
from consensus.types import Kind, LabelKind


@dataclass(frozen=True)
class Assessment:
    """A ballot with its agreement, posterior, kind and route; ``expired``: whether the deadline had passed."""

    ballot: Ballot
    agreement: Agreement
    posterior: Posterior
    kind: Kind
    degraded: bool
    routing: Routing
    prompt_hash: str
    expired: bool


def assess(case: Case, ballot: Ballot, *, can_extend: bool, expired: bool, prompt_hash: str) -> Assessment:
    """Assess a ballot. ``can_extend``: members are left and may be asked; ``expired``: the deadline has passed."""
    ballot = _calibrated(case, ballot, prompt_hash)
    agreement = agree(ballot, lambda models: _fitted_votes(case, models))
    posterior = aggregate(ballot, agreement, case.snapshot, domain=case.request.domain, answer_type=case.stratum)
    kind = classify(ballot, agreement, case.panel, case.policy.confidence_bar, case.context_marks)
    below_quorum = degraded(ballot, case.panel)
    certified = standing(case.snapshot, case.cls, case.request.domain, case.policy, case.panel)
    situation = Situation(
        kind=kind,
        agreement=agreement,
        posterior=posterior,
        policy=case.policy,
        stakes=case.request.stakes,
        certificate=certified.certificate,
        suspended=case.suspended,
        degraded=below_quorum,
        unanimous=_unanimous(ballot, agreement),
        can_extend=can_extend,
        expired=expired,
        doubt=certified.doubt,
    )
    return Assessment(ballot, agreement, posterior, kind, below_quorum, route(situation), prompt_hash, expired)


def _unanimous(ballot: Ballot, agreement: Agreement) -> bool:
    """Every member of the panel gave an answer, and all are the same. One survivor is not unanimous."""
    if agreement.clusters != 1 or agreement.opinions < 2:
        return False
    return all(entry.label_kind is LabelKind.ANSWER and not entry.marks for entry in ballot.entries)


def _calibrated(case: Case, ballot: Ballot, prompt_hash: str) -> Ballot:
    """The ballot with what the snapshot makes of each member's own confidence."""
    if case.snapshot is None:
        return ballot
    domain, stratum = case.request.domain, case.stratum
    entries = list(ballot.entries)
    for at, entry in enumerate(entries):
        raw = entry.raw_confidence
        if raw is not None:
            source = entry.confidence_source
            entries[at] = entry.calibrated(
                case.snapshot.member_confidence(
                    entry.model, entry.model_version, source, prompt_hash, domain, stratum, raw
                )
            )
    return Ballot(tuple(entries), ballot.candidates, ballot.open_set)


def _fitted_votes(case: Case, models: tuple[str, ...]) -> float | None:
    return None if case.snapshot is None else case.snapshot.effective_votes(models, case.request.domain)
