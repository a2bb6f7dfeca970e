"""Conditional logit: against statsmodels, against closed forms, and on tables that break plain numerics."""

from __future__ import annotations

import math

import numpy as np
import pytest
from statsmodels.discrete.conditional_models import ConditionalLogit

from calibration.aggregators import conditional_logit
from calibration.aggregators.conditional_logit import Ridge, fit, fit_pooled
from calibration.aggregators.design import Design
from calibration.aggregators.likelihood import Likelihood
from calibration.ballots import NONE_OF_THESE, UNKNOWN, Ballots
from calibration.scoring import leads
from calibration.tally import Tally
from tests.calibration.tables import ABSTAINED, NOT_ASKED, bayes, copied, independent, table

FLAT = 1e-6
OFF = 1e6


def mixed(n: int = 60, seed: int = 1) -> Ballots:
    """Closed and open ballots with every kind of vote, several domains, types and numbers of options."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(2, 6, n)
    votes = np.minimum(rng.integers(-3, 5, (n, 4)), (sizes - 1)[:, None])
    ballots = table(
        votes,
        np.minimum(rng.integers(0, 5, n), sizes - 1),
        candidates=sizes.tolist(),
        domains=[f"d{i % 3}" for i in range(n)],
        types=[("choice", "boolean")[i % 2] for i in range(n)],
    )
    ballots.open_set[::4] = True
    ballots.truth[::8] = NONE_OF_THESE
    return ballots


def test_the_slope_is_that_of_the_loss() -> None:
    design = Design.of(mixed())
    p = design.matrix.shape[1]
    likelihood = Likelihood(design, design.matrix, np.zeros(len(design.ballot)), np.full(p, 0.3))
    theta = np.random.default_rng(0).normal(size=p) * 0.4
    slope = likelihood(theta)[1]
    for i in range(p):
        step = np.zeros(p)
        step[i] = 1e-5
        numeric = (likelihood(theta + step)[0] - likelihood(theta - step)[0]) / 2e-5
        assert slope[i] == pytest.approx(numeric, abs=1e-6)


def test_the_loss_is_that_of_the_posterior() -> None:
    """What is maximised is the probability that the exported weights give to the truth."""
    ballots = mixed()
    ballots = ballots.take((ballots.votes >= 0).any(axis=1) & (ballots.open_set | (ballots.truth >= 0)))
    design = Design.of(ballots)
    theta = np.random.default_rng(0).normal(size=design.matrix.shape[1])
    likelihood = Likelihood(design, design.matrix, np.zeros(len(design.ballot)), np.zeros(len(theta)))
    posterior = design.weights(theta).posterior(ballots)
    voted = ballots.right_at(ballots.votes).any(axis=1)
    truth = np.where(voted | ~ballots.open_set, ballots.truth, ballots.candidates)
    expected = -np.log(posterior[np.arange(len(ballots)), truth]).sum()
    assert likelihood(theta)[0] == pytest.approx(expected)


def test_rows_score_what_their_candidates_score() -> None:
    """The design's product with parameters is what the exported weights give each row."""
    ballots = mixed()
    design = Design.of(ballots)
    theta = np.random.default_rng(0).normal(size=design.matrix.shape[1])
    scores = design.lay_out(*design.weights(theta).scores(ballots, Tally.of(ballots)))
    assert design.matrix @ theta == pytest.approx(scores)


def test_agrees_with_statsmodels() -> None:
    """Only model terms and no prior: the textbook conditional logit, one row per option."""
    ballots = independent(400, [0.8, 0.6, 0.5], seed=3)
    ridge = Ridge(steps=OFF, models=FLAT, positions=OFF, crowd=OFF, silence=OFF)
    found = fit(ballots, ridge)
    options = np.arange(4)
    rows = (ballots.votes[:, None, :] == options[None, :, None]).astype(float).reshape(-1, 3)
    chosen = (ballots.truth[:, None] == options[None, :]).astype(int).ravel()
    oracle = ConditionalLogit(chosen, rows, groups=np.repeat(np.arange(400), 4)).fit(disp=False)
    assert [found.models[f"m{j}"] for j in range(3)] == pytest.approx(oracle.params, abs=2e-3)


def test_independent_voters_get_their_log_odds() -> None:
    """Truth in closed form: a vote is worth log(p (K − 1) / (1 − p)), and posteriors are Bayes' own."""
    accuracies = [0.85, 0.7, 0.55, 0.4]
    found = fit(independent(6000, accuracies, seed=5))
    for j, accuracy in enumerate(accuracies):
        worth = found.models[f"m{j}"] + found.steps[0]
        assert worth == pytest.approx(math.log(3 * accuracy / (1 - accuracy)), abs=0.3)
    fresh = independent(500, accuracies, seed=6)
    exact = np.stack([bayes(row, accuracies, 4) for row in fresh.votes.tolist()])
    assert np.abs(found.posterior(fresh)[:, :4] - exact).mean() < 0.015


def test_perfect_copies_count_once() -> None:
    """Truth in closed form: three copies of a member that is right .7 of the time are right .7 of the time."""
    ballots = copied(3000, 0.7, copies=3)
    posterior = fit(ballots).posterior(ballots)
    assert posterior[np.arange(3000), ballots.votes[:, 0]].mean() == pytest.approx(0.7, abs=0.02)


def test_one_expert_among_guessers_is_followed() -> None:
    """Truth in closed form: the best possible accuracy is the expert's .9, against any number of guessers."""
    ballots = independent(3000, [0.25, 0.25, 0.9, 0.25, 0.25], seed=7)
    fresh = independent(2000, [0.25, 0.25, 0.9, 0.25, 0.25], seed=8)
    found = leads(fit(ballots).posterior(fresh), fresh)
    assert found.right.mean() == pytest.approx(0.9, abs=0.015)
    assert (found.top == fresh.votes[:, 2]).mean() > 0.98


def test_domains_are_told_apart_when_labels_allow() -> None:
    """m0 is right in law and guesses in health, m1 the other way round."""
    law = independent(1500, [0.9, 0.25], seed=1)
    health = independent(1500, [0.25, 0.9], seed=2)
    votes, truth = np.concatenate([law.votes, health.votes]), np.concatenate([law.truth, health.truth])
    ballots = table(votes, truth, domains=["law"] * 1500 + ["health"] * 1500)
    found = fit(ballots)
    assert found.vote("m0", "law", "choice") - found.vote("m1", "law", "choice") > 2.0
    assert found.vote("m1", "health", "choice") - found.vote("m0", "health", "choice") > 2.0
    assert abs(found.vote("m0", "unseen", "choice") - found.vote("m1", "unseen", "choice")) < 0.5
    assert fit_pooled(ballots).domains == {}


def test_the_domain_without_a_name_gets_no_terms() -> None:
    ballots = independent(100, [0.8, 0.6])
    named = table(ballots.votes, ballots.truth, domains=["", "law"] * 50)
    assert list(fit(named).domains) == ["law"]


def test_an_abstention_is_informative_and_a_missing_member_is_not() -> None:
    """Where m1 abstains m0 guesses; where m1 was not asked m0 is as good as ever."""
    rng = np.random.default_rng(0)
    good, guess = independent(1500, [0.9], seed=1), independent(1500, [0.25], seed=2)
    kind = rng.integers(0, 2, 3000) == 0
    votes = np.where(kind[:, None], np.resize(good.votes, (3000, 1)), np.resize(guess.votes, (3000, 1)))
    truth = np.where(kind, np.resize(good.truth, 3000), np.resize(guess.truth, 3000))
    second = np.where(kind, NOT_ASKED, ABSTAINED)
    found = fit(table(np.column_stack([votes, second]), truth))
    unasked = found.posterior(table([[0, NOT_ASKED]], [0]))[0, 0]
    abstained = found.posterior(table([[0, ABSTAINED]], [0]))[0, 0]
    assert unasked == pytest.approx(0.9, abs=0.03)
    assert abstained == pytest.approx(0.25, abs=0.03)


def test_open_questions_know_that_none_may_be_right() -> None:
    """Two members that agree are always right, two that differ never: mass goes to "none of these"."""
    rng = np.random.default_rng(0)
    agree = rng.random(400) < 0.5
    votes = np.column_stack([np.zeros(400), np.where(agree, 0, 1)])
    ballots = table(votes, np.where(agree, 0, NONE_OF_THESE), candidates=np.where(agree, 1, 2).tolist(), open_set=True)
    found = fit(ballots)
    assert found.posterior(table([[0, 0]], [0], candidates=1, open_set=True))[0, 0] > 0.95
    assert found.posterior(table([[0, 1]], [0], candidates=2, open_set=True))[0, 2] > 0.95


def test_several_right_clusters_share_the_credit() -> None:
    """m0 and m1 say the same in other words and are right, m2 never is: both are preferred to m2."""
    right = np.array([[True, True, False]] * 200)
    ballots = table([[0, 1, 2]] * 200, [0] * 200, candidates=3, open_set=True, right=right)
    posterior = fit(ballots).posterior(ballots)[0]
    assert posterior[0] == pytest.approx(posterior[1], abs=1e-3)
    assert posterior[0] + posterior[1] > 0.95


@pytest.mark.parametrize(
    "ballots",
    [
        table(np.zeros((0, 3)), []),
        table([[0, 1, 2]], [UNKNOWN]),
        table([[0, 1, 2]] * 50, [0, 1] * 25, candidates=3),
        table([[0, 0, 0]] * 50, [0] * 50),
        table([[0, 0, 0]] * 50, [1] * 50),
        table([[ABSTAINED] * 3] * 50, [1] * 50),
        table([[0, 1, 1]] * 50, [NONE_OF_THESE] * 50, candidates=2),
        table([[0, 0]] * 50, [0] * 50, candidates=1),
        table([[ABSTAINED] * 2] * 50, [NONE_OF_THESE] * 50, candidates=0, open_set=True),
        table([[0, 1, 2]] * 2, [0, 1], domains=["law", "health"], types=["choice", "boolean"]),
    ],
    ids=["empty", "unlabelled", "tied", "separable", "always wrong", "silent", "none right", "one option",
         "no candidates", "tiny"],
)  # fmt: skip
def test_degenerate_tables_give_finite_weights(ballots: Ballots) -> None:
    posterior = fit(ballots).posterior(ballots)
    assert np.isfinite(posterior).all()
    assert posterior.sum(axis=1) == pytest.approx(np.ones(len(ballots)))


def test_tied_members_stay_tied() -> None:
    """Three members that are right equally often and never agree give no reason to prefer one."""
    ballots = table([[0, 1, 2]] * 60, [0, 1, 2] * 20, candidates=3)
    found = conditional_logit.fit(ballots, Ridge(positions=OFF))
    assert found.posterior(ballots)[0, :3] == pytest.approx([1 / 3] * 3, abs=1e-4)


def test_first_waves_are_fitted_too() -> None:
    """With the first wave among the views, its posterior alone is calibrated although members err together."""
    ballots = copied(2000, 0.7, copies=4)
    wave = ["m0", "m1"]
    alone = fit(ballots, partial=[wave]).posterior(ballots.heard(wave))
    assert alone[np.arange(2000), ballots.votes[:, 0]].mean() == pytest.approx(0.7, abs=0.03)
