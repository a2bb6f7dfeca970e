"""Calibrators against scikit-learn, by hand, and as they are chosen."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from calibration import calibrators
from calibration.calibrators import Sample, choose, held_out, log_losses, values
from calibration.curve import IDENTITY, Curve, expit, logit

EVERY = [calibrators.identity, *(fit for fit, _ in calibrators.CALIBRATORS)]


def sample(n: int, truth: str = "true", seed: int = 0) -> Sample:
    """Confidences whose log odds are what they say, twice as extreme, or off by a domain's shift."""
    rng = np.random.default_rng(seed)
    odds = rng.normal(0.8, 1.2, n)
    domain = tuple(("law", "health")[i % 2] for i in range(n))
    shift = np.where(np.arange(n) % 2 == 0, -0.8, 0.8) if truth == "shifted" else np.zeros(n)
    stated = 2.0 * odds if truth == "extreme" else odds
    right = (rng.random(n) < 1 / (1 + np.exp(-(odds + shift)))).astype(float)
    return Sample(1 / (1 + np.exp(-stated)), right, domain)


def thirds(n: int) -> NDArray[np.int64]:
    return np.arange(n) % 3


def test_log_loss_by_hand() -> None:
    assert log_losses(np.array([0.8, 0.8, 0.5]), np.array([1.0, 0.0, 0.5])) == pytest.approx(
        [-np.log(0.8), -np.log(0.2), np.log(2)]
    )


def test_temperature_undoes_a_known_temperature() -> None:
    assert calibrators.temperature(sample(6000, "extreme")).slope == pytest.approx(0.5, abs=0.04)


def test_platt_agrees_with_scikit_learn_without_domains() -> None:
    """With thousands of labels the prior weighs nothing against them."""
    data = sample(8000, "extreme")
    data = Sample(data.p, data.right, ("law",) * len(data))
    found = calibrators.platt(data)
    oracle = LogisticRegression(C=1e8).fit(np.log(data.p / (1 - data.p))[:, None], data.right)
    assert found.slope == pytest.approx(float(oracle.coef_[0, 0]), abs=0.01)
    assert found.intercept == pytest.approx(float(oracle.intercept_[0]), abs=0.01)


def test_platt_finds_domain_intercepts_and_shrinks_an_unseen_one_to_the_mean() -> None:
    found = calibrators.platt(sample(6000, "shifted"))
    assert found.value(0.5, "health") == pytest.approx(expit(0.8), abs=0.03)
    assert found.value(0.5, "law") == pytest.approx(expit(-0.8), abs=0.03)
    assert found.value(0.5, "unseen") == pytest.approx(0.5, abs=0.05)


def test_isotonic_agrees_with_scikit_learn() -> None:
    data = sample(3000, "extreme")
    oracle = IsotonicRegression(out_of_bounds="clip").fit(data.p, data.right)
    grid = np.linspace(0.05, 0.95, 19)
    found = values(calibrators.isotonic(data), grid, ("law",) * 19)
    assert found == pytest.approx(oracle.predict(grid), abs=0.02)
    assert (np.diff(found) >= -1e-12).all()


def test_histogram_by_hand() -> None:
    """Two bins: two of two right, none of two right; each with one imagined label at the mean of one half."""
    data = Sample(np.array([0.2, 0.2, 0.8, 0.8]), np.array([0.0, 0.0, 1.0, 1.0]), ("law",) * 4)
    found = calibrators.histogram(data)
    assert found.value(0.2, "law") == pytest.approx(0.5 / 3)
    assert found.value(0.8, "law") == pytest.approx(2.5 / 3)
    assert found.value(1.0, "law") == pytest.approx(2.5 / 3)


def test_beta_binomial_leans_on_the_bin_where_a_domain_has_few_labels() -> None:
    rng = np.random.default_rng(0)
    domain = ("law",) * 900 + ("health",) * 900 + ("rare",) * 2
    right = np.concatenate([rng.random(900) < 0.9, rng.random(900) < 0.5, [False, False]]).astype(float)
    found = calibrators.beta_binomial(Sample(np.full(1802, 0.7), right, domain))
    assert found.value(0.7, "law") == pytest.approx(0.9, abs=0.03)
    assert found.value(0.7, "health") == pytest.approx(0.5, abs=0.04)
    assert 0.35 < found.value(0.7, "rare") < 0.75
    assert found.value(0.7, "unseen") == pytest.approx(0.7, abs=0.03)


def test_choose_leaves_calibrated_confidences_alone() -> None:
    data = sample(2000)
    assert choose(data, thirds(2000)).method == "identity"


def test_choose_takes_the_plainest_that_helps() -> None:
    assert choose(sample(2000, "extreme"), thirds(2000)).method == "temperature"
    assert choose(sample(2000, "shifted"), thirds(2000)).method == "platt"


def test_choose_takes_a_curve_that_no_logit_can_bend_when_labels_allow() -> None:
    """Right .9 of the time in the middle, .4 of the time at both ends."""
    rng = np.random.default_rng(0)
    p = rng.random(4000)
    right = (rng.random(4000) < np.where(np.abs(p - 0.5) < 0.25, 0.9, 0.4)).astype(float)
    found = choose(Sample(p, right, ("law",) * 4000), thirds(4000))
    assert found.method == "histogram"


def test_a_few_labels_move_nothing() -> None:
    assert choose(sample(20, "extreme"), thirds(20)).method == "identity"


def test_held_out_losses_are_out_of_fold() -> None:
    """One row a fold: each loss is that of a curve that never saw it."""
    data = Sample(np.array([0.5, 0.5, 0.5]), np.array([1.0, 0.0, 1.0]), ("law",) * 3)
    losses = held_out(calibrators.histogram, data, np.arange(3))
    assert losses[1] == pytest.approx(-np.log(1 - 0.75))


@given(p=st.floats(0, 1), domain=st.sampled_from(["law", "health", "unseen"]))
@pytest.mark.parametrize("fit", EVERY)
def test_every_curve_stays_inside_zero_and_one_and_agrees_with_its_table_form(
    fit: calibrators.Fit, p: float, domain: str
) -> None:
    curve = fit(sample(400, "shifted"))
    assert 1 / 402 <= curve.value(p, domain) <= 401 / 402
    assert values(curve, np.array([p]), (domain,))[0] == pytest.approx(curve.value(p, domain))


@pytest.mark.parametrize("fit", EVERY)
@pytest.mark.parametrize("right", [0.0, 1.0])
def test_one_sided_and_constant_samples_are_finite(fit: calibrators.Fit, right: float) -> None:
    curve = fit(Sample(np.full(5, 1.0), np.full(5, right), ("law",) * 5))
    assert 0.0 < curve.value(1.0, "law") < 1.0


def test_no_confidence_is_nearer_to_one_than_its_labels_can_tell() -> None:
    """After 98 labels nobody has seen one error in a thousand."""
    assert IDENTITY.model_copy(update={"labels": 98}).value(0.99999, "law") == pytest.approx(0.99)
    assert IDENTITY.value(0.99999, "law") == pytest.approx(0.99999)


def test_knots_are_flat_outside_and_linear_between() -> None:
    curve = Curve(shape="knots", method="isotonic", labels=0, x=(0.2, 0.6), y=(0.1, 0.5))
    assert [curve.value(p, "law") for p in (0.0, 0.2, 0.4, 0.6, 1.0)] == pytest.approx([0.1, 0.1, 0.3, 0.5, 0.5])


def test_logits_are_finite_at_the_ends() -> None:
    assert expit(logit(0.0)) == pytest.approx(1e-6)
    assert expit(logit(1.0)) == pytest.approx(1 - 1e-6)
    assert expit(-1000.0) == 0.0
