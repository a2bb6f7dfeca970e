"""Majority, best single, most confident, log odds and Dawid–Skene: by hand and by closed form."""

from __future__ import annotations

import math

import numpy as np
import pytest

from calibration.aggregators import best_single, dawid_skene, log_odds, majority, most_confident
from calibration.aggregators.scaling import scaled
from calibration.aggregators.vote_weights import VoteWeights
from calibration.ballots import NONE_OF_THESE
from calibration.scoring import leads
from tests.calibration.tables import ABSTAINED, NOT_ASKED, bayes, copied, independent, table


def test_majority_follows_counts_and_ties_as_counts_tie() -> None:
    ballots = table([[0, 0, 1], [0, 1, 2], [ABSTAINED, ABSTAINED, 3]], [0, 0, 3])
    posterior = majority.fit(ballots).posterior(ballots)
    assert posterior[0, 0] > posterior[0, 1] > posterior[0, 2]
    assert posterior[1, 0] == pytest.approx(posterior[1, 2])
    assert leads(posterior, ballots).right.tolist() == pytest.approx([1.0, 1 / 3, 1.0])


def test_best_single_is_the_most_often_right_and_its_silence_is_no_answer() -> None:
    votes = [[0, 1], [0, 1], [1, 1], [ABSTAINED, 1]]
    ballots = table(votes, [0, 0, 1, 1])
    assert best_single.accuracies(ballots) == pytest.approx([3 / 5, 2 / 5])
    found = leads(best_single.fit(ballots).posterior(ballots), ballots)
    assert found.right.tolist() == [1.0, 1.0, 1.0, 0.0]
    assert found.confidence[3] == 0.0


def test_a_model_asked_once_and_right_is_not_the_best_there_is() -> None:
    votes = [[0, 0]] + [[0, NOT_ASKED]] * 9
    assert np.argmax(best_single.accuracies(table(votes, [0] * 10))) == 0


def test_best_single_breaks_a_tie_by_column() -> None:
    ballots = table([[0, 1], [0, 1]], [0, 1])
    assert list(best_single.fit(ballots).models) == ["m0"]


def test_most_confident_follows_reliability_where_nobody_stated_any() -> None:
    ballots = independent(600, [0.4, 0.9, 0.6])
    fitted = most_confident.fit(ballots)
    found = leads(fitted.posterior(ballots), ballots)
    assert (found.top == ballots.votes[:, 1]).all()
    assert found.confidence.mean() == pytest.approx(0.9, abs=0.03)


def test_most_confident_follows_the_stated_confidence_once_it_is_calibrated() -> None:
    """m0 knows when it knows: .95 right where it says .9, .3 right where it says .4; m1 is always right .6."""
    rng = np.random.default_rng(0)
    n = 1200
    sure = rng.random(n) < 0.5
    truth = rng.integers(0, 4, n)
    first = np.where(rng.random(n) < np.where(sure, 0.95, 0.3), truth, (truth + 1) % 4)
    second = np.where(rng.random(n) < 0.6, truth, (truth + 2) % 4)
    confidence = np.column_stack([np.where(sure, 0.9, 0.4), np.full(n, np.nan)])
    ballots = table(
        np.column_stack([first, second]), truth, confidence=confidence,
        sources=(("verbal", "v1", "p"),), source=np.column_stack([np.zeros(n), np.full(n, -1)]).astype(np.int64),
    )  # fmt: skip
    found = leads(most_confident.fit(ballots).posterior(ballots), ballots)
    assert (found.top[sure] == first[sure]).all()
    assert (found.top[~sure] == second[~sure]).all()


def test_most_confident_sums_to_one_on_open_and_silent_ballots() -> None:
    ballots = table(
        [[0, 1], [ABSTAINED, ABSTAINED], [0, 0]], [0, NONE_OF_THESE, 0], candidates=[2, 0, 1], open_set=True
    )
    posterior = most_confident.fit(ballots).posterior(ballots)
    assert posterior.sum(axis=1) == pytest.approx(np.ones(3))
    assert posterior[1].tolist() == [1.0, 0.0, 0.0]


def test_log_odds_are_bayes_for_independent_members() -> None:
    accuracies = [0.85, 0.7, 0.55]
    fitted = log_odds.fit(independent(6000, accuracies, seed=1))
    fresh = independent(300, accuracies, seed=2)
    exact = np.stack([bayes(row, accuracies, 4) for row in fresh.votes.tolist()])
    assert np.abs(fitted.posterior(fresh)[:, :4] - exact).mean() < 0.02


def test_scaling_undoes_the_overconfidence_of_copies() -> None:
    """Four copies of a member have four times its log odds; the scale that fits is a quarter."""
    ballots = copied(4000, 0.7, copies=4)
    one = math.log(0.7 * 3 / 0.3)
    found = scaled(VoteWeights(steps=(), models={f"m{j}": one for j in range(4)}), ballots)
    assert found.models["m0"] == pytest.approx(one / 4, rel=0.05)


def test_scaling_never_turns_a_weighing_around() -> None:
    """Members that are always wrong still do not count against their candidates."""
    ballots = table([[0, 0]] * 100, [1] * 100)
    found = scaled(VoteWeights(steps=(1.0, 1.0), models={}), ballots)
    assert 0 < found.steps[0] < 0.01


def test_without_labels_the_scale_stays() -> None:
    shape = VoteWeights(steps=(1.0, 1.0), models={"m0": 0.5})
    assert scaled(shape, table([[0, 1]], [-2])) == shape


def test_dawid_skene_finds_accuracies_without_labels() -> None:
    """Independent members: the accuracies are identified by agreement alone, and truth is not looked at."""
    accuracies = [0.9, 0.75, 0.6, 0.5]
    ballots = independent(6000, accuracies, seed=3)
    unlabelled = table(ballots.votes, np.full(6000, -2))
    fitted = dawid_skene.fit(unlabelled)
    for j, accuracy in enumerate(accuracies):
        assert fitted.models[f"m{j}"] == pytest.approx(math.log(accuracy / (1 - accuracy)), abs=0.15)


def test_dawid_skene_is_fooled_by_copies_which_is_why_it_is_never_a_probability() -> None:
    """Four copies look like four members that are always right: stated .99 and more, true .6."""
    ballots = copied(2000, 0.6, copies=4)
    found = leads(dawid_skene.fit(ballots).posterior(ballots), ballots)
    assert found.confidence.mean() > 0.99
    assert found.right.mean() == pytest.approx(0.6, abs=0.03)


def test_dawid_skene_says_nothing_of_a_member_that_never_voted() -> None:
    fitted = dawid_skene.fit(table([[0, NOT_ASKED]] * 5, [0] * 5))
    assert list(fitted.models) == ["m0"]
