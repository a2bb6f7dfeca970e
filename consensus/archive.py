"""What a frozen snapshot would have made of decisions that were made: the archive that a campaign walks through. Pure.

A certificate speaks about what the worker accepts, so an archived request counts with the confidence that the deployed
rule gives it: panel heard in the plan's order until it stops, kind and quorum as in routing. Requests belong to the
archive by what was fixed before any answer came (when and how they were asked), never by their answers or labels.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import timedelta

from calibration.campaign import Item
from calibration.sampling import drawn
from calibration.snapshot import Snapshot
from consensus import answers
from consensus.assessment import Assessment, assess
from consensus.ballot import Ballot
from consensus.case import Case
from consensus.certificate import certifiable
from consensus.policy import PanelPolicy, Policy
from consensus.types import AuditDraw, BallotEntry, Kind, LabelKind, Request, Route, Signal


@dataclass(frozen=True)
class Rule:
    """The frozen snapshot (without certificates), the policy and panel, and ``same``: versions of the same fit."""

    snapshot: Snapshot
    policy: Policy
    panel: PanelPolicy
    same: Collection[str]


def item(signal: Signal, rule: Rule) -> Item | None:
    """The decision as an item of the archive; ``None`` where it cannot be known what the rule would have made of it.

    Known are decisions by the same fit, and those for which the whole panel was asked. What the rule would never accept
    has confidence 0.
    """
    if {entry.model for entry in signal.ballot} != set(rule.panel.models):
        return None
    if signal.snapshot_version in rule.same:
        assessment = _assessed(signal, rule, Ballot(signal.ballot, signal.candidates, _open(signal)), everybody=True)
    elif signal.full_panel:
        assessment = _heard(signal, rule)
    else:
        return None
    return _item(signal, rule, assessment)


def _item(signal: Signal, rule: Rule, a: Assessment) -> Item:
    p = a.posterior
    acceptable = p.domain_known and not a.degraded and certifiable(a.kind, rule.policy)
    if not acceptable or p.top is None or p.confidence is None:
        return Item(signal.tenant, signal.request_id, signal.domain, 0.0, -1)
    top = signal.candidates.index(a.ballot.candidates[p.top])
    return Item(signal.tenant, signal.request_id, signal.domain, p.confidence, top)


def _heard(signal: Signal, rule: Rule) -> Assessment:
    """A ballot of the whole panel as the deployed rule would have heard it, exploration and audits included."""
    case = _case(signal, rule)
    policy = rule.policy
    share = 1 - (1 - policy.audit_rate) * (1 - policy.exploration_rate)
    plan = case.plan()
    everybody = plan is None or drawn("archive", signal.tenant, signal.request_id, share)
    if plan is None or everybody:
        return _assessed(signal, rule, Ballot(signal.ballot, signal.candidates, _open(signal)), everybody=True)
    asked = max(plan.min_calls, rule.panel.quorum)
    while True:
        last = asked >= len(plan.order)
        a = _assessed(signal, rule, _part(signal, plan.order[:asked]), everybody=last)
        if last:
            return a
        if a.routing.route is Route.EXTEND:
            asked = len(plan.order)
        elif plan.wants_more(a.posterior.confidence, asked):
            asked += 1
        else:
            return a


def _assessed(signal: Signal, rule: Rule, ballot: Ballot, *, everybody: bool) -> Assessment:
    bare = replace(ballot, entries=tuple(entry.model_copy(update={"confidence": None}) for entry in ballot.entries))
    prompt_hash = signal.prompt_hash or ""
    return assess(_case(signal, rule), bare, can_extend=not everybody, expired=False, prompt_hash=prompt_hash)


def _part(signal: Signal, heard: Collection[str]) -> Ballot:
    """The ballot with only some members heard. Of an open question, clusters that nobody named did not exist yet."""
    entries = [entry if entry.model in heard else _silent(entry) for entry in signal.ballot]
    if not _open(signal):
        return Ballot(tuple(entries), signal.candidates, open_set=False)
    named = sorted({entry.cluster for entry in entries if entry.cluster is not None})
    renumbered = {old: new for new, old in enumerate(named)}
    entries = [
        entry if entry.cluster is None else entry.model_copy(update={"cluster": renumbered[entry.cluster]})
        for entry in entries
    ]
    return Ballot(tuple(entries), tuple(signal.candidates[old] for old in named), open_set=True)


def _silent(entry: BallotEntry) -> BallotEntry:
    return BallotEntry(model=entry.model, family=entry.family, label_kind=LabelKind.NOT_ASKED)


def _case(signal: Signal, rule: Rule) -> Case:
    """The case as it would be opened; of the question nothing is needed but its domain, stakes and answer spec."""
    request = Request(
        id=signal.request_id,
        tenant=signal.tenant,
        domain=signal.domain,
        stakes=signal.stakes,
        prompt="(not needed)",
        answer=signal.answer,
    )
    return Case(
        request=request,
        policy=rule.policy,
        panel=rule.panel,
        cls=signal.class_,
        snapshot=rule.snapshot,
        suspended=None,
        nonce="",
        place="",
        started=signal.decided_at,
        deadline=signal.decided_at + timedelta(milliseconds=rule.policy.deadline_ms),
        audit=AuditDraw(),
        full_panel=False,
        context_marks=_marks(signal),
        due_minutes=0.0,
    )


def _marks(signal: Signal) -> tuple[str, ...]:
    """Detectors that fired on the request; a signal that does not list them still says whether any fired."""
    if signal.circumstances is not None:
        return signal.circumstances.marks
    return ("recorded",) if signal.kind is Kind.ADVERSARIAL else ()


def _open(signal: Signal) -> bool:
    return answers.candidates(signal.answer) is None
