"""Posterior, kind, policy and what is still possible → route and reasons. Any doubt goes towards a person (I8)."""

from __future__ import annotations

from dataclasses import dataclass

from consensus.aggregation import Posterior
from consensus.agreement import Agreement
from consensus.certificate import certifiable
from consensus.policy import Policy
from consensus.types import Certificate, Kind, Route, Stakes


@dataclass(frozen=True)
class Situation:
    """All that routing looks at.

    ``unanimous``: every member of the panel gave the same answer. ``degraded``: fewer answers than the quorum.
    ``can_extend``: members are left to ask, within budget and deadline. ``expired``: the deadline has passed.
    ``suspended``: why the class may accept nothing. ``doubt``: why its certificate does not speak about this request.
    """

    kind: Kind
    agreement: Agreement
    posterior: Posterior
    policy: Policy
    stakes: Stakes
    certificate: Certificate | None
    suspended: str | None
    degraded: bool
    unanimous: bool
    can_extend: bool
    expired: bool
    doubt: str | None = None


@dataclass(frozen=True)
class Routing:
    """A route with the codes of the reasons for it; ``certificate`` only on a certified accept."""

    route: Route
    reasons: tuple[str, ...]
    certificate: Certificate | None = None
    uncertified: bool = False


def route(s: Situation) -> Routing:
    """Decide where the request goes next."""
    if s.expired and not s.agreement.opinions:
        return Routing(Route.ABSTAIN, ("deadline_expired",))
    wanted = s.policy.on_disagreement.get(s.kind, Route.REVIEW)
    reasons = (f"kind_{s.kind}", *(code for code in (s.posterior.fault, s.suspended) if code is not None))
    if s.suspended is not None and wanted in (Route.ACCEPT, Route.ARBITRATE):
        return to_person(s.policy, *reasons)
    certified = _certified(s)
    if certified is not None:
        return certified
    if wanted is Route.EXTEND:
        return Routing(Route.EXTEND, reasons) if s.can_extend else to_person(s.policy, *reasons, "panel_exhausted")
    if wanted is Route.ACCEPT:
        return _uncertified(s, reasons)
    if wanted is Route.ARBITRATE:
        return _dispute(s, reasons)
    return Routing(Route.ABSTAIN, reasons) if wanted is Route.ABSTAIN else to_person(s.policy, *reasons)


def to_person(policy: Policy, *reasons: str) -> Routing:
    """Review where the policy has a queue, else abstain: never accept."""
    if policy.review:
        return Routing(Route.REVIEW, reasons)
    return Routing(Route.ABSTAIN, (*reasons, "no_review_queue"))


def _certified(s: Situation) -> Routing | None:
    """Accept under a certificate: class certified and not suspended, domain known, confidence over its threshold."""
    if s.certificate is None or s.degraded or not certifiable(s.kind, s.policy) or _below(s, s.certificate):
        return None
    return Routing(Route.ACCEPT, ("certified",), s.certificate)


def _below(s: Situation, certificate: Certificate) -> str | None:
    """Why the certified region does not hold the answer; ``None`` where it does."""
    p = s.posterior
    if p.top is None or p.confidence is None:
        return "no_confidence"
    if not p.domain_known:
        return "domain_unknown"
    return "below_threshold" if p.confidence < certificate.threshold else None


def _why_uncertified(s: Situation) -> str:
    if s.degraded:
        return "below_quorum"
    below = None if s.certificate is None else _below(s, s.certificate)
    return below or s.doubt or "uncertified"


def _uncertified(s: Situation, reasons: tuple[str, ...]) -> Routing:
    """The one exception to "no certificate, no accept": a unanimous panel at low stakes where the policy says so."""
    allowed = s.policy.accept_uncertified == "unanimous" and s.stakes is Stakes.LOW
    if allowed and s.unanimous and not s.degraded and s.posterior.top == s.agreement.top is not None:
        return Routing(Route.ACCEPT, (*reasons, "unanimous_low_stakes"), uncertified=True)
    if s.degraded and s.can_extend:
        return Routing(Route.EXTEND, (*reasons, "below_quorum"))
    return to_person(s.policy, *reasons, _why_uncertified(s))


def _dispute(s: Situation, reasons: tuple[str, ...]) -> Routing:
    if s.agreement.clusters < 2:
        return to_person(s.policy, *reasons, "nothing_to_compare")
    if s.degraded:
        return to_person(s.policy, *reasons, "below_quorum")
    if not s.policy.arbiters:
        return to_person(s.policy, *reasons, "no_arbiter_configured")
    return Routing(Route.ARBITRATE, reasons)
