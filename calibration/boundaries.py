"""Sequential boundaries: how few errors among the first m audits show that the error rate is below α.

A boundary is a tuple k of length n: among m audits, k[m − 1] errors or fewer certify; −1 where no number does. The
guarantee of each: when errors are independent with a rate of α (or more), the probability that S_m ≤ k[m − 1] for any
m ≤ n is at most δ. So one may look after every audit and stop at the first crossing.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from calibration.tally import Floats

FIRST_LOOK = 30
"""No certificate on fewer audits, whatever they say."""

_STEPS = 40
_FRACTIONS = np.array([0.02, 0.04, 0.07, 0.1, 0.15, 0.2, 0.3, 0.4, 0.55, 0.75])
"""Bets of the mixture e-process, as shares of the largest, 1 / (1 − α). Bets that follow the data would be invalid."""


@lru_cache(maxsize=256)
def exact(budget: int, alpha: float, delta: float) -> tuple[int, ...]:
    """The boundary of a fixed budget, with its crossing probability computed exactly.

    Wang–Tsiatis shape (1987, doi:10.2307/2531959): α m − z √(α (1 − α) n) (m / n)^¼, the smallest z that keeps the
    crossing probability within ``delta``, by bisection. All −1 when the budget is too small for any z to certify.
    """
    _check(budget, alpha, delta)
    low, high = 0.0, 8.0
    for _ in range(_STEPS):
        middle = (low + high) / 2
        if crossing_probability(_shape(budget, alpha, middle), alpha) <= delta:
            high = middle
        else:
            low = middle
    return _shape(budget, alpha, high)


@lru_cache(maxsize=256)
def mixture(budget: int, alpha: float, delta: float) -> tuple[int, ...]:
    """The boundary of a mixture e-process: valid at any stopping time, so that the budget may stay open.

    Wealth is the mean over fixed bets c of Π (1 + c (α − error)), a supermartingale when the rate is α or more; it
    certifies at 1 / δ (Ville's inequality). ``budget`` only says how far the boundary is listed.
    """
    _check(budget, alpha, delta)
    bets = _FRACTIONS / (1.0 - alpha)
    gain, loss = np.log1p(bets * alpha), np.log1p(-bets * (1.0 - alpha))
    boundary: list[int] = []
    errors = -1
    for m in range(1, budget + 1):
        # One more audit never lowers the number of errors that still certify, nor raises it by more than one.
        while errors + 1 <= m and _log_mean(gain * (m - errors - 1) + loss * (errors + 1)) >= -math.log(delta):
            errors += 1
        boundary.append(errors if m >= FIRST_LOOK else -1)
    return tuple(boundary)


def crossing_probability(boundary: tuple[int, ...], alpha: float) -> float:
    """Probability that S_m ≤ boundary[m − 1] for some m, errors independent with rate ``alpha``.

    Recursion of Armitage, McPherson & Rowe (1969, doi:10.2307/2343787) over the number of errors: exact up to rounding.
    """
    state = np.zeros(len(boundary) + 1)
    state[0] = 1.0
    crossed = 0.0
    for limit in boundary:
        state[1:] = state[1:] * (1.0 - alpha) + state[:-1] * alpha
        state[0] *= 1.0 - alpha
        if limit >= 0:
            crossed += float(state[: limit + 1].sum())
            state[: limit + 1] = 0.0
    return crossed


def _shape(budget: int, alpha: float, z: float) -> tuple[int, ...]:
    m = np.arange(1, budget + 1)
    limit = np.floor(alpha * m - z * math.sqrt(alpha * (1 - alpha) * budget) * (m / budget) ** 0.25)
    limit[(m < FIRST_LOOK) | (limit < 0)] = -1
    return tuple(int(value) for value in limit)


def _log_mean(logs: Floats) -> float:
    top = float(logs.max())
    return top + math.log(float(np.exp(logs - top).mean()))


def _check(budget: int, alpha: float, delta: float) -> None:
    if budget < 1 or not 0 < alpha < 1 or not 0 < delta < 1:
        raise ValueError("a boundary needs a budget of at least 1 and alpha and delta between 0 and 1")
