"""Sequential boundaries: exact by enumeration, and never crossed more often than δ."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from calibration import boundaries
from calibration.boundaries import FIRST_LOOK, crossing_probability, exact, mixture


def test_the_recursion_agrees_with_enumeration() -> None:
    """All 2¹⁰ outcomes of ten audits at α = .3."""
    boundary = (-1, -1, 0, 0, 0, 1, 1, 1, 2, 2)
    total = 0.0
    for outcome in product((0, 1), repeat=10):
        sums = np.cumsum(outcome)
        if any(s <= k for s, k in zip(sums, boundary, strict=True)):
            total += 0.3 ** sums[-1] * 0.7 ** (10 - sums[-1])
    assert crossing_probability(boundary, 0.3) == pytest.approx(total)


def test_one_look_is_the_binomial_tail() -> None:
    boundary = (*([-1] * 49), 2)
    tail = sum(
        float(np.prod(np.arange(50, 50 - k, -1) / np.arange(1, k + 1))) * 0.1**k * 0.9 ** (50 - k) for k in range(3)
    )
    assert crossing_probability(boundary, 0.1) == pytest.approx(tail)


@pytest.mark.parametrize("alpha", [0.05, 0.1, 0.15])
@pytest.mark.parametrize("budget", [120, 300, 600])
def test_the_exact_boundary_spends_its_delta_and_no_more(budget: int, alpha: float) -> None:
    boundary = exact(budget, alpha, 0.05)
    assert len(boundary) == budget
    assert 0.045 < crossing_probability(boundary, alpha) <= 0.05
    assert all(k == -1 for k in boundary[: FIRST_LOOK - 1])
    assert crossing_probability(boundary, alpha * 1.5) < crossing_probability(boundary, alpha)


@pytest.mark.parametrize("make", [exact, mixture])
def test_a_crossing_is_as_often_as_it_is_said_to_be(make: object) -> None:
    """20,000 simulated campaigns with the true error exactly at α: what the recursion says, within noise."""
    boundary = np.array(make(200, 0.15, 0.05))  # type: ignore[operator]
    rng = np.random.default_rng(0)
    errors = np.cumsum(rng.random((20_000, 200)) < 0.15, axis=1)
    crossed = float((errors <= boundary).any(axis=1).mean())
    stated = crossing_probability(tuple(boundary.tolist()), 0.15)
    assert crossed == pytest.approx(stated, abs=3 * np.sqrt(stated / 20_000) + 1e-4)
    assert crossed <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / 20_000)


@pytest.mark.parametrize("alpha", [0.05, 0.1, 0.15])
def test_the_mixture_never_reaches_delta_however_long_it_runs(alpha: float) -> None:
    crossings = [crossing_probability(mixture(budget, alpha, 0.05), alpha) for budget in (200, 1000)]
    assert crossings[0] < crossings[1] < 0.05


def test_the_mixture_is_the_same_walk_whatever_its_length() -> None:
    assert mixture(600, 0.1, 0.05)[:200] == mixture(200, 0.1, 0.05)


def test_the_mixture_by_hand() -> None:
    """Without errors the wealth is the mean of (1 + c α)^m: the first audit at which it reaches 1 / δ."""
    bets = boundaries._FRACTIONS / (1 - 0.15)
    m = next(m for m in range(1, 200) if np.mean((1 + bets * 0.15) ** m) >= 20)
    boundary = mixture(200, 0.15, 0.05)
    assert m > FIRST_LOOK
    assert boundary[m - 2] == -1
    assert boundary[m - 1] == 0


def test_too_small_a_budget_certifies_nothing() -> None:
    assert set(exact(20, 0.1, 0.05)) == {-1}
    assert set(mixture(20, 0.1, 0.05)) == {-1}


@pytest.mark.parametrize(
    ("budget", "alpha", "delta"), [(0, 0.1, 0.05), (10, 0.0, 0.05), (10, 0.1, 1.0), (10, 1.0, 0.05)]
)
def test_nonsense_is_refused(budget: int, alpha: float, delta: float) -> None:
    for make in (exact, mixture):
        with pytest.raises(ValueError, match="boundary needs"):
            make(budget, alpha, delta)
