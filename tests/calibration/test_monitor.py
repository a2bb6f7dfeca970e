"""The monitor: its promise over a whole life, and how soon it sees a broken certificate."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from calibration import monitor
from calibration.monitor import Monitor


def ever_revoked(wrong: NDArray[np.bool_], alpha: float, delta: float) -> NDArray[np.bool_]:
    """Bool (runs,): whether each row of outcomes (runs, audits) revokes at any time."""
    bets = monitor._FRACTIONS / alpha
    errors = np.cumsum(wrong, axis=1)[:, :, None]
    audits = np.arange(1, wrong.shape[1] + 1)[None, :, None]
    logs = errors * np.log1p(bets * (1 - alpha)) + (audits - errors) * np.log1p(-bets * alpha)
    return np.asarray((np.log(np.exp(logs).mean(axis=2)) >= -math.log(delta)).any(axis=1))


@given(outcomes=st.lists(st.booleans(), max_size=60))
def test_wealth_is_the_mean_of_products(outcomes: list[bool]) -> None:
    """The counts say what the product of bets along the way says, and the peak never falls."""
    state = Monitor(alpha=0.1, delta=0.05).after(outcomes)
    wealth = np.ones(len(monitor._FRACTIONS))
    peak = 0.0
    for wrong in outcomes:
        wealth = wealth * (1 + monitor._FRACTIONS / 0.1 * (wrong - 0.1))
        peak = max(peak, math.log(wealth.mean()))
    assert state.log_wealth == pytest.approx(math.log(wealth.mean()), abs=1e-9)
    assert state.peak == pytest.approx(peak, abs=1e-9)
    assert (state.audits, state.errors) == (len(outcomes), sum(outcomes))


@pytest.mark.parametrize("alpha", [0.05, 0.1, 0.15])
def test_a_true_certificate_is_revoked_with_probability_delta_at_most_in_its_whole_life(alpha: float) -> None:
    """2,000 lives of 1,500 audits with the error exactly at α, stopping at the first revocation."""
    rng = np.random.default_rng(0)
    revoked = ever_revoked(rng.random((2000, 1500)) < alpha, alpha, 0.05)
    assert revoked.mean() <= 0.05 + 2 * math.sqrt(0.05 * 0.95 / 2000)


def test_a_broken_certificate_is_revoked_soon() -> None:
    """Error .3 where .1 was promised: half of all within 40 audits, nearly all within 150."""
    rng = np.random.default_rng(0)
    wrong = rng.random((500, 150)) < 0.3
    assert ever_revoked(wrong[:, :40], 0.1, 0.05).mean() > 0.5
    assert ever_revoked(wrong, 0.1, 0.05).mean() > 0.99


def test_a_revocation_stays_one() -> None:
    broken = Monitor(alpha=0.1, delta=0.05).after([True] * 10)
    assert broken.revokes
    later = broken.after([False] * 500)
    assert later.log_wealth < 0
    assert later.revokes
    assert not Monitor(alpha=0.1, delta=0.05).after([False] * 500).revokes


def test_it_survives_a_restart() -> None:
    half = Monitor(alpha=0.1, delta=0.05).after([True, False, True])
    again = Monitor.model_validate_json(half.model_dump_json())
    assert again.after([True, True]) == half.after([True, True])
