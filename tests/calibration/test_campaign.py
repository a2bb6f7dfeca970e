"""A campaign as data: what is frozen stays frozen, and what is found is counted right."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from calibration import campaign, certificates
from calibration.campaign import CampaignInvalid, Definition, End, Item, Missing
from calibration.snapshot import Snapshot, build
from tests.simulated_world import snapshot as fitted

NOW = datetime(2026, 5, 1, tzinfo=UTC)
N = 400


@pytest.fixture(scope="module")
def snapshot() -> Snapshot:
    return fitted(120)


def items(n: int = N, score: float = 0.97, domain: str = "law") -> list[Item]:
    return [Item("default", f"r-{i}", domain, score, 0) for i in range(n)]


def defined(snapshot: Snapshot, some: list[Item] | None = None, **changes: Any) -> Definition:
    plain: dict[str, Any] = {
        "cls": "default", "cycle": 1, "policy": "default", "rule": "r1", "snapshot": snapshot, "alpha": 0.15,
        "delta": 0.05, "classes": 1, "budget": 80, "opened_at": NOW, "horizon_hours": 24.0,
    }  # fmt: skip
    return campaign.define(items() if some is None else some, **{**plain, **changes})


def test_the_order_depends_on_ids_and_cycle_alone(snapshot: Snapshot) -> None:
    """However the archive was read, and whatever its scores are; another cycle walks in another order."""
    straight, reversed_ = defined(snapshot), defined(snapshot, items()[::-1])
    assert straight.items == reversed_.items
    assert straight.digest == reversed_.digest
    again = defined(snapshot, cycle=2)
    assert [item.request_id for item in again.items] != [item.request_id for item in straight.items]
    assert sorted(again.items) == sorted(straight.items)


def test_delta_is_shared_out_and_written_down(snapshot: Snapshot) -> None:
    """Over classes and cycles; a tenth of the share looks for domains that do not belong."""
    first, third = defined(snapshot, classes=2), defined(snapshot, classes=2, cycle=3)
    assert first.share == pytest.approx(certificates.shared(0.05, classes=2, cycle=1))
    assert third.share == pytest.approx(first.share / 9)
    assert first.plan.delta == pytest.approx(0.9 * first.share)


def test_a_changed_definition_is_refused(snapshot: Snapshot) -> None:
    """Nothing that was frozen can be turned afterwards: budget, order, start, boundary, horizon."""
    raw = defined(snapshot).to_json()
    assert Definition.from_json(raw).to_json() == raw
    tree = json.loads(raw)
    for change in ({"alpha": 0.2}, {"items": tree["items"][1:]}, {"plan": {**tree["plan"], "budget": 81}}):
        with pytest.raises(CampaignInvalid, match="changed after it was frozen"):
            Definition.from_json(json.dumps({**tree, **change}).encode())
    with pytest.raises(CampaignInvalid):
        Definition.from_json(b"{}")


def test_records_stand_under_their_keys(snapshot: Snapshot) -> None:
    """A part that was written under the key of another is refused."""
    definition = defined(snapshot)
    gone = Missing.model_validate({"campaign": definition.id, "class": "default", "positions": (3,)})
    assert campaign.read("campaign/default:1", definition.to_json()) == definition
    assert campaign.read("campaign/default:1:missing", gone.to_json()) == gone
    with pytest.raises(CampaignInvalid, match="stands under"):
        campaign.read("campaign/default:2", definition.to_json())


def test_what_cannot_be_accepted_counts_in_the_shares_and_is_never_asked(snapshot: Snapshot) -> None:
    hopeless = [Item("default", f"h-{i}", "law", 0.0, -1) for i in range(N)]
    definition = defined(snapshot, [*items(), *hopeless])
    assert definition.archive == 2 * N
    assert {item.score for item in definition.items} == {0.97}


def test_labels_become_errors(snapshot: Snapshot) -> None:
    """Another candidate, none of them, or nothing in time; contradicting outcomes are no label yet."""
    definition = defined(snapshot, items(6))
    keys = [item.key for item in definition.items]
    truths = {keys[0]: 0, keys[1]: 2, keys[2]: -1, keys[3]: None, keys[4]: 0}
    wrong = campaign.wrongs(definition, truths, missing=(4,))
    assert wrong[:3].tolist() == [0.0, 1.0, 1.0]
    assert np.isnan(wrong[3])
    assert wrong[4] == 1.0  # it came after its horizon
    assert np.isnan(wrong[5])


def ended(definition: Definition, wrong: list[float]) -> End:
    return campaign.conclude(definition, np.array(wrong), NOW)


def test_a_certificate_says_what_it_rests_on(snapshot: Snapshot) -> None:
    """And deploys under a name of its own, bound to the fit that was audited."""
    definition = defined(snapshot)
    end = ended(definition, [0.0] * len(definition.items))
    certificate = end.certificate
    assert certificate is not None
    assert (certificate.n, certificate.errors, certificate.threshold) == (end.progress.n, 0, 0.97)
    assert (certificate.alpha, certificate.delta, certificate.rule) == (0.15, definition.share, "r1")
    assert (certificate.snapshot_version, certificate.campaign) == (snapshot.version, "default:1")
    deployed = campaign.certified(campaign.frozen(snapshot, "default"), certificate)
    assert (deployed.name, deployed.basis) == ("certified/default", snapshot.version)
    assert Snapshot.from_json(deployed.to_json()).certificate("default") == certificate
    other = build(fitted_at=NOW, **{**_parts(deployed), "labels": 7})
    assert other.certificate("default") is None


def _parts(snapshot: Snapshot) -> dict[str, Any]:
    fields = set(type(snapshot).model_fields) - {"version", "fitted_at"}
    return {name: getattr(snapshot, name) for name in fields}


def test_no_safe_threshold_comes_with_the_labels_that_would_do(snapshot: Snapshot) -> None:
    """As many as the confidences promise, more where the audits say so, none where they err too often."""
    definition = defined(snapshot, budget=30)
    tenth = ended(definition, [float(i % 10 == 0) for i in range(len(definition.items))])
    assert tenth.certificate is None
    assert tenth.would_do is not None
    assert tenth.would_do > 30
    hopeless = ended(definition, [1.0] * len(definition.items))
    assert (hopeless.certificate, hopeless.would_do) == (None, None)


def test_a_domain_that_errs_leaves_the_class(snapshot: Snapshot) -> None:
    """Half of finance is wrong: the class is certified without it."""
    some = [*items(360), *(Item("default", f"f-{i}", "finance", 0.97, 0) for i in range(40))]
    definition = defined(snapshot, some, budget=250)
    end = ended(definition, [float(item.domain == "finance" and i % 3 > 0) for i, item in enumerate(definition.items)])
    assert end.certificate is not None
    assert end.certificate.excluded == ("finance",)


def test_the_next_items_are_those_the_walk_will_need(snapshot: Snapshot) -> None:
    """In its order, without those that are known, within the budget."""
    definition = defined(snapshot, budget=40)
    known = np.full(len(definition.items), np.nan)
    known[[1, 3]] = 0.0
    scores = definition.scores
    assert certificates.ahead(definition.plan, scores, known, 4) == [0, 2, 4, 5]
    known[:38] = 1.0
    assert certificates.ahead(definition.plan, scores, known, 16) == [38, 39]
    known[:40] = 1.0
    assert certificates.ahead(definition.plan, scores, known, 16) == []
    assert certificates.expected_to_go(definition.plan, scores, known) is None


def test_expected_labels_shrink_as_labels_come(snapshot: Snapshot) -> None:
    definition = defined(snapshot)
    known = np.full(len(definition.items), np.nan)
    before = certificates.expected_to_go(definition.plan, definition.scores, known)
    known[:10] = 0.0
    after = certificates.expected_to_go(definition.plan, definition.scores, known)
    assert before is not None
    assert after is not None
    assert after < before


def test_names_and_certificates_do_not_change_the_basis(snapshot: Snapshot) -> None:
    copy = campaign.frozen(snapshot, "default/law")
    assert copy.version != snapshot.version
    assert copy.basis == snapshot.basis == snapshot.version
