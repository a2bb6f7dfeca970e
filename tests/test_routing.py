"""Routing: nothing is accepted by accident."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from consensus.aggregation import Posterior
from consensus.agreement import agree
from consensus.routing import Situation, route
from consensus.types import Certificate, Kind, Route, Stakes
from tests.ballots import ballot, policy

CERTIFICATE = Certificate.model_validate(
    {
        "class": "default", "alpha": 0.1, "delta": 0.05, "n": 500, "method": "growing_region", "threshold": 0.8,
        "snapshot_version": "s-1", "issued_at": datetime(2026, 1, 1, tzinfo=UTC), "revoked_by": "monitor",
    }
)  # fmt: skip


def situation(**changes: Any) -> Situation:
    """A unanimous panel of three at standard stakes, nothing fitted, everybody asked."""
    base = Situation(
        kind=Kind.NONE,
        agreement=agree(ballot(0, 0, 0), lambda _models: None),
        posterior=Posterior(None, 0, None, 0, domain_known=False),
        policy=policy(arbiters=("judge",)),
        stakes=Stakes.STANDARD,
        certificate=None,
        suspended=None,
        degraded=False,
        unanimous=True,
        can_extend=False,
        expired=False,
    )
    return replace(base, **changes)


def fitted(confidence: float | None, **changes: Any) -> Posterior:
    return replace(Posterior((0.9, 0.05, 0.03, 0.02), 0, confidence, 100, domain_known=True), **changes)


def test_without_a_certificate_a_unanimous_panel_goes_to_a_person() -> None:
    assert route(situation()).route is Route.REVIEW
    assert route(situation(posterior=fitted(0.999))).route is Route.REVIEW


@pytest.mark.parametrize("stakes", list(Stakes))
def test_uncertified_accept_needs_the_policy_and_low_stakes(stakes: Stakes) -> None:
    allowed = policy(accept_uncertified="unanimous")
    found = route(situation(policy=allowed, stakes=stakes))
    assert found.route is (Route.ACCEPT if stakes is Stakes.LOW else Route.REVIEW)
    assert found.uncertified is (stakes is Stakes.LOW)


@pytest.mark.parametrize("changes", [{"unanimous": False}, {"degraded": True}, {"suspended": "held_by_hand"}])
def test_uncertified_accept_needs_a_whole_unanimous_unsuspended_panel(changes: dict[str, Any]) -> None:
    low = situation(policy=policy(accept_uncertified="unanimous"), stakes=Stakes.LOW, **changes)
    assert route(low).route is Route.REVIEW


def test_a_certificate_accepts_from_its_threshold_on() -> None:
    split = agree(ballot(0, 0, 1), lambda _models: None)
    certified = situation(certificate=CERTIFICATE, kind=Kind.REASONING, agreement=split, unanimous=False)
    accepted = route(replace(certified, posterior=fitted(0.8)))
    assert (accepted.route, accepted.certificate, accepted.uncertified) == (Route.ACCEPT, CERTIFICATE, False)
    assert route(replace(certified, posterior=fitted(0.799))).route is Route.ARBITRATE


def test_a_policy_that_wants_a_person_gets_one_despite_a_certificate() -> None:
    careful = policy(on_disagreement={"reasoning": "review"})
    split = situation(certificate=CERTIFICATE, kind=Kind.REASONING, posterior=fitted(0.99), policy=careful)
    assert route(split).route is Route.REVIEW


@pytest.mark.parametrize(
    "changes",
    [
        {"suspended": "drift"},
        {"degraded": True, "kind": Kind.DEGRADED},
        {"kind": Kind.ADVERSARIAL},
        {"kind": Kind.REFUSAL},
        {"kind": Kind.HIGH_CONFIDENCE},
        {"posterior": fitted(0.99, domain_known=False)},
        {"posterior": fitted(0.99, top=None)},
        {"posterior": fitted(None)},
    ],
)
def test_any_doubt_keeps_a_certificate_from_accepting(changes: dict[str, Any]) -> None:
    doubtful = situation(**{"certificate": CERTIFICATE, "posterior": fitted(0.99), **changes})
    assert route(doubtful).route is Route.REVIEW


def test_disputes_go_to_an_arbiter_and_without_one_to_a_person() -> None:
    agreement = agree(ballot(0, 0, 1), lambda _models: None)
    disputed = situation(kind=Kind.REASONING, agreement=agreement, unanimous=False)
    assert route(disputed).route is Route.ARBITRATE
    assert route(replace(disputed, policy=policy())).route is Route.REVIEW
    assert route(replace(disputed, degraded=True)).route is Route.REVIEW


def test_degraded_asks_more_and_then_a_person() -> None:
    lost = situation(kind=Kind.DEGRADED, degraded=True, unanimous=False)
    assert route(replace(lost, can_extend=True)).route is Route.EXTEND
    exhausted = route(lost)
    assert exhausted.route is Route.REVIEW
    assert "panel_exhausted" in exhausted.reasons


def test_expired_with_nothing_heard_abstains_and_with_something_does_not() -> None:
    silent = agree(ballot(None, None, None), lambda _models: None)
    expired = situation(kind=Kind.DEGRADED, agreement=silent, expired=True)
    assert route(expired).route is Route.ABSTAIN
    assert route(expired).reasons == ("deadline_expired",)
    heard = situation(kind=Kind.DEGRADED, agreement=agree(ballot(0, None), lambda _m: None), expired=True)
    assert route(heard).route is Route.REVIEW


def test_without_a_queue_what_would_be_reviewed_is_abstained() -> None:
    found = route(situation(policy=policy(review=False)))
    assert found.route is Route.ABSTAIN
    assert "no_review_queue" in found.reasons


def test_a_numerical_fault_is_named() -> None:
    faulty = Posterior(None, 0, None, 0, domain_known=False, fault="posterior_not_finite")
    assert "posterior_not_finite" in route(situation(posterior=faulty)).reasons
