"""Posterior, kind, policy and what is still possible → route and reasons. Any doubt goes towards a person (I8)."""

from __future__ import annotations

from dataclasses import dataclass

from calibration.snapshot import Snapshot
from consensus.aggregation import Posterior
from consensus.agreement import Agreement
from consensus.policy import Policy
from consensus.types import Certificate, Kind, Route, Stakes

CERTIFIABLE = frozenset({Kind.NONE, Kind.STYLISTIC, Kind.REASONING})
"""Kinds whose answers a certificate may accept; the others go to people whatever the numbers say."""


@dataclass(frozen=True)
class Situation:
    """All that routing looks at.

    ``unanimous``: every member of the panel gave the same answer. ``degraded``: fewer answers than the quorum.
    ``can_extend``: members are left to ask, within budget and deadline. ``expired``: the deadline has passed.
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
    if wanted in (Route.ACCEPT, Route.ARBITRATE):  # a policy that wants a person for this kind gets one
        certified = _certified(s)
        if certified is not None:
            return certified
    reasons = (f"kind_{s.kind}", *((s.posterior.fault,) if s.posterior.fault else ()))
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


def certificate_of(snapshot: Snapshot | None, cls: str) -> Certificate | None:
    """The certificate that a snapshot carries for a class."""
    if snapshot is None:
        return None
    raw = next((c for c in snapshot.certificates if c.class_ == cls), None)
    return None if raw is None else Certificate.model_validate(raw.model_dump(by_alias=True))


def _certified(s: Situation) -> Routing | None:
    """Accept under a certificate: class certified and not suspended, domain known, confidence over its threshold."""
    if s.certificate is None or s.suspended is not None or s.degraded or s.kind not in CERTIFIABLE:
        return None
    p = s.posterior
    if p.top is None or p.confidence is None or not p.domain_known or p.confidence < s.certificate.threshold:
        return None
    return Routing(Route.ACCEPT, ("certified",), s.certificate)


def _uncertified(s: Situation, reasons: tuple[str, ...]) -> Routing:
    """The one exception to "no certificate, no accept": a unanimous panel at low stakes where the policy says so."""
    if s.suspended is not None:
        return to_person(s.policy, *reasons, s.suspended)
    allowed = s.policy.accept_uncertified == "unanimous" and s.stakes is Stakes.LOW
    if allowed and s.unanimous and not s.degraded and s.posterior.top == s.agreement.top is not None:
        return Routing(Route.ACCEPT, (*reasons, "unanimous_low_stakes"), uncertified=True)
    if s.degraded and s.can_extend:
        return Routing(Route.EXTEND, (*reasons, "below_quorum"))
    return to_person(s.policy, *reasons, "below_quorum" if s.degraded else "uncertified")


def _dispute(s: Situation, reasons: tuple[str, ...]) -> Routing:
    if s.agreement.clusters < 2:
        return to_person(s.policy, *reasons, "nothing_to_compare")
    if s.degraded:
        return to_person(s.policy, *reasons, "below_quorum")
    if not s.policy.arbiters:
        return to_person(s.policy, *reasons, "no_arbiter_configured")
    return Routing(Route.ARBITRATE, reasons)
