"""Which certificate speaks about a request: one fit, one rule, known domains that were not excluded."""

from __future__ import annotations

from typing import Any

import pytest

from calibration import campaign
from calibration.snapshot import Snapshot
from consensus.certificate import rule_of, standing
from consensus.errors import SnapshotRefused
from consensus.kafka.snapshots import readable
from consensus.pipeline import decide
from consensus.policy import PanelPolicy, Policy
from consensus.types import Route, Status
from tests import simulated_world as world
from tests.store.test_watch import certified as made


@pytest.fixture(scope="module")
def bare() -> Snapshot:
    return world.snapshot(120)


def certified(bare: Snapshot, **changes: Any) -> Snapshot:
    deployed, end = made(bare)
    assert end.certificate is not None
    return campaign.certified(campaign.frozen(deployed, "default"), end.certificate.model_copy(update=changes))


def found(snapshot: Snapshot | None, rules: Policy | None = None, panel: PanelPolicy | None = None) -> Any:
    return standing(snapshot, "default", "law", rules or world.policy(), panel or world.panel())


def test_a_certificate_speaks_under_its_fit_and_class(bare: Snapshot) -> None:
    snapshot = certified(bare)
    assert found(snapshot).certificate is not None
    assert found(bare).certificate is None
    assert found(None).certificate is None
    assert standing(snapshot, "other", "law", world.policy(), world.panel()).certificate is None


def test_a_certificate_of_another_fit_says_nothing_and_is_refused_by_workers(bare: Snapshot) -> None:
    """Copied onto a newer snapshot it would promise what was never tested."""
    stolen = certified(bare, snapshot_version="s-0123456789abcdef")
    assert found(stolen).certificate is None
    with pytest.raises(SnapshotRefused, match="another fit"):
        readable(stolen.to_json(), None)
    assert readable(certified(bare).to_json(), None).certificates


def test_a_changed_rule_ends_the_certificate(bare: Snapshot) -> None:
    """Another panel, quorum or route accepts other answers than were audited; rates of audits do not."""
    rule = rule_of(world.policy(), world.panel())
    snapshot = certified(bare, rule=rule)
    assert found(snapshot).certificate is not None
    assert found(snapshot, world.policy(audit_rate=0.5)).certificate is not None
    for rules, panel in (
        (world.policy(on_disagreement={"reasoning": "review"}), world.panel()),
        (world.policy(confidence_bar=0.8), world.panel()),
        (world.policy(), world.panel().model_copy(update={"quorum": 3})),
        (world.policy(), world.panel().model_copy(update={"models": ("a", "b", "c")})),
    ):
        assert found(snapshot, rules, panel).certificate is None
        assert found(snapshot, rules, panel).doubt == "rule_changed"


def test_an_excluded_domain_is_not_certified(bare: Snapshot) -> None:
    assert found(certified(bare, excluded=("law",))).doubt == "domain_excluded"
    assert found(certified(bare, excluded=("health",))).certificate is not None


@pytest.mark.parametrize(
    ("changes", "domain", "reason"),
    [
        ({}, None, "certified"),
        ({}, "astronomy", "domain_unknown"),
        ({"excluded": world.DOMAINS}, None, "domain_excluded"),
        ({"threshold": 0.9999}, None, "below_threshold"),
    ],
)
async def test_the_verdict_says_why_it_is_or_is_not_certified(
    bare: Snapshot, changes: dict[str, Any], domain: str | None, reason: str
) -> None:
    """Everything that is in doubt goes to a person."""
    snapshot = certified(bare, **changes)
    asked = world.request("r-0", stakes="standard", **({} if domain is None else {"domain": domain}))
    said = {world.says(model, "r-0") for model in world.SKILLS}
    assert len(said) == 1  # unanimous
    verdict = (await decide(asked, world.resources(world.policy(), snapshots=lambda _cls: snapshot))).verdict
    assert reason in verdict.reasons
    if reason == "certified":
        assert (verdict.status, verdict.uncertified) == (Status.ACCEPTED, False)
        assert verdict.certificate is not None
        assert verdict.certificate.snapshot_version == bare.version
        assert verdict.snapshot_version == snapshot.version
    else:
        assert (verdict.route, verdict.certificate) == (Route.REVIEW, None)


@pytest.mark.parametrize("reason", ["class_held", "class_suspended", "certificate_revoked"])
@pytest.mark.parametrize("stakes", ["low", "critical"])
async def test_a_stopped_class_says_so_on_every_verdict(bare: Snapshot, reason: str, stakes: str) -> None:
    """Unanimous or disputed, certified or not: a person, and why."""
    snapshot = certified(bare)
    resources = world.resources(world.policy(), snapshots=lambda _cls: snapshot, suspended=lambda _cls: reason)
    for number in range(12):
        verdict = (await decide(world.request(f"r-{number}", stakes=stakes), resources)).verdict
        assert verdict.status is Status.PENDING_REVIEW
        assert reason in verdict.reasons
