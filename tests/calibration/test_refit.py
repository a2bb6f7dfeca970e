"""A refit: what it may learn from, when it is refused, and that it depends on the labels alone."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import numpy as np
import pytest

from calibration.ballots import NONE_OF_THESE, UNKNOWN, Ballots
from calibration.refit import HELD_OUT, Comparison, Refit, compare, held_out, refit, score
from calibration.snapshot import Snapshot

NEWEST = datetime(2026, 3, 1, tzinfo=UTC)
SKILLS = (0.85, 0.75, 0.6)
K = 4


def ballots(n: int, *, seed: int = 1, noise: float = 0.0) -> Ballots:
    """Independent members of known skill on ``K`` options; with probability ``noise`` the truth is another option."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(K, size=n)
    wrong = (truth[:, None] + rng.integers(1, K, size=(n, len(SKILLS)))) % K
    votes = np.where(rng.random((n, len(SKILLS))) < np.array(SKILLS), truth[:, None], wrong)
    labels = np.where(rng.random(n) < noise, rng.integers(K, size=n), truth)
    return Ballots(
        models=("a", "b", "c"),
        families=("fa", "fb", "fc"),
        domains=tuple(("law", "health")[i % 2] for i in range(n)),
        answer_types=("choice",) * n,
        ids=tuple(f"default\x1fr-{i}" for i in range(n)),
        votes=votes.astype(np.int64),
        candidates=np.full(n, K, dtype=np.int64),
        open_set=np.zeros(n, dtype=np.bool_),
        truth=labels.astype(np.int64),
        confidence=np.full((n, len(SKILLS)), np.nan),
    )


def fitted(table: Ballots, current: Snapshot | None = None) -> Refit:
    found = refit(table, current=current, fitted_at=NEWEST, min_labels=30)
    assert found is not None
    return found


def test_the_version_depends_on_the_labels_and_not_on_their_order_or_the_current_snapshot() -> None:
    """A replay of the topics finds the same snapshot."""
    table = ballots(200)
    straight = fitted(table).candidate
    shuffled = fitted(table.take(np.random.default_rng(3).permutation(200)), current=straight).candidate
    assert shuffled.version == straight.version
    assert fitted(ballots(200, seed=2)).candidate.version != straight.version


def test_a_fifth_by_hash_is_never_fitted() -> None:
    """Changing held-out labels changes nothing; the draw of an id does not depend on the other ids."""
    table = ballots(400)
    held = held_out(table)
    assert held.mean() == pytest.approx(HELD_OUT, abs=0.06)
    assert (held_out(table.take(np.arange(100))) == held[:100]).all()
    changed = Ballots(**{**vars(table), "truth": np.where(held, (table.truth + 1) % K, table.truth)})
    assert fitted(changed).candidate.version == fitted(table).candidate.version
    assert fitted(table).candidate.labels == (~held).sum()


def test_too_few_labels_fit_nothing() -> None:
    """Unlabelled rows do not count."""
    table = ballots(40)
    sparse = Ballots(**{**vars(table), "truth": np.where(np.arange(40) < 29, table.truth, UNKNOWN)})
    assert refit(sparse, current=None, fitted_at=NEWEST, min_labels=30) is None


def test_the_first_snapshot_has_nothing_to_compare_with() -> None:
    """It is accepted as it is."""
    assert fitted(ballots(100)).accepted


def test_more_labels_replace_fewer() -> None:
    """A candidate of the same world is no worse, and is accepted."""
    current = fitted(ballots(100)).candidate
    found = fitted(ballots(1_000), current=current)
    assert found.accepted
    assert found.comparison is not None
    assert found.comparison.log_loss < found.comparison.log_loss_current


def test_labels_turned_to_noise_are_refused() -> None:
    """A flood of wrong labels on the fitted part must not replace a good snapshot on an honest held-out part."""
    honest = ballots(1_000)
    current = fitted(honest).candidate
    spoiled = Ballots(**{**vars(honest), "truth": np.where(held_out(honest), honest.truth, (honest.truth + 1) % K)})
    found = fitted(spoiled, current=current)
    assert not found.accepted
    assert found.comparison is not None
    assert "log_loss_worse" in found.comparison.reasons


def test_scores_by_hand() -> None:
    """Log loss is minus the logarithm of what the truth was given; one bin's calibration error is the gap of means."""
    table = ballots(300)
    snapshot = fitted(table).candidate
    few = table.take(np.arange(5))
    expected, confidences, right = [], [], []
    for i in range(5):
        posterior = snapshot.posterior(
            few.models, few.votes[i].tolist(), K, domain=few.domains[i], answer_type="choice", open_set=False
        )
        assert posterior is not None
        assert posterior.confidence is not None
        expected.append(-math.log(posterior.probabilities[few.truth[i]]))
        confidences.append(posterior.confidence)
        right.append(posterior.top == few.truth[i])
    scores = score(snapshot, few)
    assert scores.losses.tolist() == pytest.approx(expected)
    assert scores.ece == pytest.approx(abs(np.mean(confidences) - np.mean(right)))
    assert scores.stated == 5


def test_a_truth_that_is_no_candidate_is_a_loss_for_both_alike() -> None:
    """Nothing is given to it in a closed question, and the comparison is even."""
    table = ballots(60)
    none = Ballots(**{**vars(table), "truth": np.full(60, NONE_OF_THESE)})
    snapshot = fitted(table).candidate
    comparison = compare(snapshot, snapshot, none)
    assert comparison == Comparison(
        60, comparison.log_loss, comparison.log_loss, comparison.ece, comparison.ece, reasons=()
    )
    assert comparison.log_loss > 20


def test_a_candidate_that_speaks_of_fewer_ballots_is_refused() -> None:
    """Losing an answer type is worse than any gain on the others."""
    table = ballots(400)
    halves = tuple(("choice", "boolean")[i % 2] for i in range(400))
    current = fitted(Ballots(**{**vars(table), "answer_types": halves})).candidate
    candidate = fitted(table).candidate
    mixed = Ballots(**{**vars(table), "answer_types": halves})
    assert "states_fewer_confidences" in compare(candidate, current, mixed).reasons
