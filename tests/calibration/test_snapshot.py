"""Snapshots: what they say about one ballot, and what is refused."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import numpy as np
import pytest

from calibration import fitting
from calibration.snapshot import Posterior, Snapshot, SnapshotCertificate, SnapshotInvalid, content_version
from tests.calibration.tables import ABSTAINED, independent, table

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def snapshot() -> Snapshot:
    """Three independent members of law and health, 600 labels."""
    base = independent(600, [0.9, 0.7, 0.5], seed=1)
    fitted = fitting.fit(table(base.votes, base.truth, domains=["law", "health"] * 300), fitted_at=NOW)
    assert fitted is not None
    return fitted


def ask(snapshot: Snapshot, votes: list[int], **changes: object) -> Posterior | None:
    arguments = {"domain": "law", "answer_type": "choice", "open_set": False} | changes
    models = [f"m{j}" for j in range(len(votes))]
    return snapshot.posterior(models, votes, 4, **arguments)  # type: ignore[arg-type]


def test_weights_that_are_no_numbers_lead_nowhere(snapshot: Snapshot) -> None:
    """Nobody is said to lead, with no confidence."""
    closed = snapshot.aggregators["closed"]
    weights = closed.weights.model_copy(update={"steps": tuple(np.full(len(closed.weights.steps), np.nan))})
    broken = closed.model_copy(update={"weights": weights})
    found = ask(snapshot.model_copy(update={"aggregators": {"closed": broken}}), [1, 1, 0])
    assert found is not None
    assert (found.top, found.confidence) == (None, None)


def test_a_unanimous_ballot_is_surer_than_a_split_one(snapshot: Snapshot) -> None:
    """In closed form the odds of m0 against m1 are 27 to 7, and 1 for each other option."""
    unanimous, split = ask(snapshot, [2, 2, 2]), ask(snapshot, [2, 1, ABSTAINED])
    assert unanimous is not None
    assert split is not None
    assert (unanimous.top, split.top) == (2, 2)
    assert unanimous.confidence is not None
    assert split.confidence is not None
    assert unanimous.confidence > 0.97
    assert split.confidence == pytest.approx(27 / 36, abs=0.12)
    assert unanimous.probabilities.sum() == pytest.approx(1.0)
    assert (unanimous.labels, unanimous.domain_known) == (600, True)
    assert unanimous.source in fitting.METHODS


def test_the_order_of_members_and_candidates_changes_nothing_but_the_order(snapshot: Snapshot) -> None:
    one = snapshot.posterior(["m0", "m1", "m2"], [0, 1, 1], 4, domain="law", answer_type="choice", open_set=False)
    two = snapshot.posterior(["m2", "m0", "m1"], [1, 0, 1], 4, domain="law", answer_type="choice", open_set=False)
    assert one is not None
    assert two is not None
    assert one.probabilities == pytest.approx(two.probabilities)


def test_nothing_is_said_of_an_answer_type_that_was_not_fitted(snapshot: Snapshot) -> None:
    assert ask(snapshot, [0, 0, 0], answer_type="boolean") is None
    assert ask(snapshot, [0, 0, 0], answer_type="text", open_set=True) is None


def test_an_unseen_domain_is_said_to_be_unseen_and_is_an_average_one(snapshot: Snapshot) -> None:
    found = snapshot.posterior(["m0", "m1"], [0, 0], 4, domain="seafaring", answer_type="choice", open_set=False)
    assert found is not None
    assert not found.domain_known
    assert found.confidence is not None
    assert 0.8 < found.confidence < 1.0
    assert snapshot.plan(["m0", "m1", "m2"], "seafaring") is None


def test_an_unseen_member_counts_as_an_average_one(snapshot: Snapshot) -> None:
    found = snapshot.posterior(["new"], [1], 4, domain="law", answer_type="choice", open_set=False)
    assert found is not None
    assert found.top == 1
    assert snapshot.effective_votes(["m0", "new"], "law") is None
    assert snapshot.plan(["m0", "new"], "law") is None
    assert snapshot.reliability_of("new", "law") is None


def test_a_tie_has_no_top_and_no_confidence(snapshot: Snapshot) -> None:
    found = snapshot.posterior(["new", "newer"], [2, 3], 4, domain="x", answer_type="choice", open_set=False)
    assert found is not None
    assert found.top is None or found.probabilities[2] != found.probabilities[3]
    silent = snapshot.posterior(["m0", "m1"], [ABSTAINED] * 2, 4, domain="law", answer_type="choice", open_set=False)
    assert silent is not None
    assert (silent.top, silent.confidence) == (None, None)


def test_a_member_named_twice_votes_once(snapshot: Snapshot) -> None:
    once = snapshot.posterior(["m0", "m1"], [0, 1], 4, domain="law", answer_type="choice", open_set=False)
    twice = snapshot.posterior(["m0", "m1", "m1"], [0, 1, 1], 4, domain="law", answer_type="choice", open_set=False)
    assert once is not None
    assert twice is not None
    assert once.probabilities == pytest.approx(twice.probabilities)


def test_a_vote_for_no_candidate_is_refused(snapshot: Snapshot) -> None:
    with pytest.raises(ValueError, match="smaller than the number of candidates"):
        ask(snapshot, [4, 0, 0])


def test_one_ballot_says_what_the_table_says(snapshot: Snapshot) -> None:
    fresh = independent(200, [0.9, 0.7, 0.5], seed=9)
    whole = snapshot.aggregators["closed"].weights.posterior(fresh)
    for row in range(200):
        one = snapshot.posterior(
            fresh.models, fresh.votes[row].tolist(), 4, domain="law", answer_type="choice", open_set=False
        )
        assert one is not None
        assert one.probabilities == pytest.approx(whole[row, :4], abs=1e-12)


def test_effective_votes_and_reliabilities_are_those_of_the_simulation(snapshot: Snapshot) -> None:
    assert snapshot.effective_votes(["m0", "m1", "m2"], "law") == pytest.approx(3.0, abs=0.5)
    entry = snapshot.reliability_of("m0", "law")
    assert entry is not None
    assert entry.low < 0.9 < entry.high
    pooled = snapshot.reliability_of("m0", "seafaring")
    assert pooled is not None
    assert pooled.domain == "*"
    assert snapshot.effective_votes([], "law") is None


def test_json_is_canonical_and_comes_back_the_same(snapshot: Snapshot) -> None:
    data = snapshot.to_json()
    again = Snapshot.from_json(data)
    assert again == snapshot
    assert again.to_json() == data
    assert snapshot.version == content_version(snapshot)
    assert len(snapshot.version) == 18
    assert snapshot.version.startswith("s-")


def test_any_change_is_another_version(snapshot: Snapshot) -> None:
    certificate = SnapshotCertificate.model_validate({
        "class": "default", "alpha": 0.1, "delta": 0.05, "n": 500, "method": "growing_region", "threshold": 0.9,
        "snapshot_version": snapshot.version, "issued_at": NOW, "revoked_by": "monitor",
    })  # fmt: skip
    changed = snapshot.with_changes(certificates=(certificate,))
    assert changed.version != snapshot.version
    assert changed.parent == snapshot.version
    assert Snapshot.from_json(changed.to_json()).certificates[0].class_ == "default"
    assert json.loads(changed.to_json())["certificates"][0]["class"] == "default"


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda tree: tree | {"labels": tree["labels"] + 1}, "does not match"),
        (lambda tree: tree | {"format": 99}, "format 99"),
        (lambda tree: tree | {"unknown": 1}, "unknown"),
        (lambda tree: {key: value for key, value in tree.items() if key != "models"}, "models"),
        (lambda tree: tree | {"labels": "many"}, "labels"),
    ],
    ids=["changed", "format", "unknown field", "missing part", "wrong type"],
)
def test_a_damaged_snapshot_is_refused(snapshot: Snapshot, damage: object, message: str) -> None:
    tree = damage(json.loads(snapshot.to_json()))  # type: ignore[operator]
    with pytest.raises(SnapshotInvalid, match=message):
        Snapshot.from_json(json.dumps(tree).encode())


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_a_snapshot_with_a_number_that_is_none_is_refused(snapshot: Snapshot, number: str) -> None:
    data = snapshot.to_json()
    value = json.dumps(snapshot.aggregators["closed"].weights.silence).encode()
    with pytest.raises(SnapshotInvalid, match="silence"):
        Snapshot.from_json(data.replace(b'"silence":' + value, b'"silence":' + number.encode()))


@pytest.mark.parametrize("data", [b"", b"null", b"[]", b"{", b"\x00\x01", b'"text"'])
def test_what_is_no_snapshot_at_all_is_refused(data: bytes) -> None:
    with pytest.raises(SnapshotInvalid):
        Snapshot.from_json(data)


def test_the_fault_names_the_field_and_not_the_value(snapshot: Snapshot) -> None:
    tree = json.loads(snapshot.to_json()) | {"labels": "a secret"}
    with pytest.raises(SnapshotInvalid) as refused:
        Snapshot.from_json(json.dumps(tree).encode())
    assert "labels" in str(refused.value)
    assert "a secret" not in str(refused.value)


def test_hostile_domains_do_not_grow_the_cache(snapshot: Snapshot) -> None:
    before = len(snapshot._compilations)
    for i in range(50):
        snapshot.posterior(["m0"], [0], 4, domain=f"made up {i}", answer_type="choice", open_set=False)
    assert len(snapshot._compilations) <= before + 1


def test_probabilities_are_finite_for_256_options(snapshot: Snapshot) -> None:
    found = snapshot.posterior(["m0", "m1"], [255, 255], 256, domain="law", answer_type="choice", open_set=False)
    assert found is not None
    assert np.isfinite(found.probabilities).all()
    assert found.top == 255
