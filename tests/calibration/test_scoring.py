"""Scores by hand, against scikit-learn, and where ties could decide by accident."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import brier_score_loss
from sklearn.metrics import log_loss as sklearn_log_loss

from calibration import scoring
from calibration.scoring import Leads, leads
from tests.calibration.tables import ABSTAINED, table


def found(confidence: list[float], right: list[float]) -> Leads:
    zeros = np.zeros(len(right), dtype=np.int64)
    return Leads(zeros, np.array(confidence), np.array(right), np.ones(len(right), dtype=np.bool_))


def test_a_tie_scores_one_in_k_and_nothing_heard_scores_zero() -> None:
    ballots = table([[0, 1], [0, 1], [ABSTAINED] * 2, [2, 2]], [0, 3, 0, 2])
    posterior = np.array([
        [0.4, 0.4, 0.1, 0.1, 0.0], [0.4, 0.4, 0.1, 0.1, 0.0], [0.25, 0.25, 0.25, 0.25, 0.0], [0.1, 0.1, 0.7, 0.1, 0.0],
    ])  # fmt: skip
    result = leads(posterior, ballots)
    assert result.right.tolist() == [0.5, 0.0, 0.0, 1.0]
    assert result.confidence.tolist() == [0.4, 0.4, 0.0, 0.7]
    assert result.alone.tolist() == [False, False, False, True]


def test_a_candidate_that_nobody_chose_is_no_answer() -> None:
    ballots = table([[0, 0]], [1], candidates=2)
    result = leads(np.array([[0.3, 0.7, 0.0]]), ballots)
    assert (result.confidence[0], result.right[0]) == (0.0, 0.0)


def test_none_of_these_takes_probability_but_is_no_answer() -> None:
    ballots = table([[0, 1]], [1], candidates=2, open_set=True)
    result = leads(np.array([[0.1, 0.3, 0.6]]), ballots)
    assert (result.top[0], result.confidence[0], result.right[0]) == (1, 0.3, 1.0)


def test_log_loss_and_brier_agree_with_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    confidence, right = rng.random(200), (rng.random(200) < 0.6).astype(float)
    one = found(confidence.tolist(), right.tolist())
    assert scoring.log_loss(one) == pytest.approx(sklearn_log_loss(right, confidence))
    assert scoring.brier(one) == pytest.approx(brier_score_loss(right, confidence))


def test_ece_by_hand() -> None:
    """Two bins of two: |.9 − .5| and |.3 − 0|, half of the mass each."""
    assert scoring.ece(np.array([0.9, 0.9, 0.3, 0.3]), np.array([1.0, 0.0, 0.0, 0.0]), bins=2) == pytest.approx(0.35)


def test_aurc_by_hand() -> None:
    """Surest first: right, wrong, right → errors 0, 1/2, 1/3."""
    assert scoring.aurc(np.array([0.9, 0.8, 0.7]), np.array([1.0, 0.0, 1.0])) == pytest.approx((0 + 1 / 2 + 1 / 3) / 3)


@pytest.mark.parametrize("score", [scoring.aurc, scoring.ece])
def test_the_order_of_equal_confidences_decides_nothing(score: object) -> None:
    confidence = np.array([0.9, 0.5, 0.5, 0.5, 0.5, 0.1])
    right = np.array([1.0, 1.0, 0.0, 0.0, 1.0, 0.0])
    shuffled = np.array([5, 3, 2, 1, 4, 0])
    assert score(confidence, right) == pytest.approx(score(confidence[shuffled], right[shuffled]))  # type: ignore[operator]


def test_perfectly_calibrated_confidences_have_little_ece() -> None:
    rng = np.random.default_rng(0)
    confidence = rng.random(20_000)
    right = (rng.random(20_000) < confidence).astype(float)
    assert scoring.ece(confidence, right) < 0.02
    assert scoring.ece(np.minimum(confidence + 0.2, 1.0), right) > 0.15


def test_intervals_cover_the_mean_as_often_as_they_say() -> None:
    rng = np.random.default_rng(0)
    inside = 0
    for _ in range(1000):
        low, high = scoring.interval((rng.random(300) < 0.7).astype(float))
        inside += low < 0.7 < high
    assert 925 <= inside <= 975


def test_reliability_bins_cover_everything_once() -> None:
    bins = scoring.reliability_bins(np.linspace(0.1, 0.9, 100), np.ones(100), bins=7)
    assert sum(count for _, _, count in bins) == 100
    assert [p for p, _, _ in bins] == sorted(p for p, _, _ in bins)
    assert scoring.interval(np.array([0.4])) == (0.4, 0.4)
    assert scoring.log_loss(found([1.0], [1.0])) == pytest.approx(0.0, abs=1e-5)
