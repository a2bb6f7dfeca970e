"""A fitted calibration curve: raw confidence in, probability out, with plain arithmetic at request time."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from typing import Literal

from calibration.frozen import Frozen

EDGE = 1e-6
"""Confidences are kept inside [EDGE, 1 − EDGE] where a logit is taken of them."""


def logit(p: float) -> float:
    """Log odds of a probability, finite at 0 and 1."""
    clipped = min(max(p, EDGE), 1.0 - EDGE)
    return math.log(clipped / (1.0 - clipped))


def expit(x: float) -> float:
    """Probability of log odds, without overflow."""
    return 1.0 / (1.0 + math.exp(-x)) if x >= 0 else math.exp(x) / (1.0 + math.exp(x))


class Curve(Frozen):
    """One calibrator in exported form.

    ``logit`` (temperature, Platt): expit(slope · logit(p) + intercept + domains[domain]).
    ``knots`` (isotonic): linear between the points (x, y), flat outside.
    ``bins`` (histogram, beta-binomial): y[i] for x[i] ≤ p < x[i + 1], domain_y[domain][i] where the domain is known.
    ``labels`` is the number of labels it was fitted on, ``method`` the name of the calibrator.
    """

    shape: Literal["logit", "knots", "bins"]
    method: str
    labels: int
    slope: float = 1.0
    intercept: float = 0.0
    domains: dict[str, float] = {}
    x: tuple[float, ...] = ()
    y: tuple[float, ...] = ()
    domain_y: dict[str, tuple[float, ...]] = {}

    def value(self, p: float, domain: str) -> float:
        """Calibrated probability of a raw confidence in [0, 1]; always in [0, 1].

        Never nearer to 0 or 1 than n labels can tell, 1 / (n + 2) (Laplace's rule of succession).
        """
        if self.shape == "logit":
            value = expit(self.slope * logit(p) + self.intercept + self.domains.get(domain, 0.0))
        elif self.shape == "knots":
            value = _between(p, self.x, self.y)
        else:
            value = self.domain_y.get(domain, self.y)[max(bisect_right(self.x, p) - 1, 0)]
        edge = 1.0 / (self.labels + 2.0) if self.labels else 0.0
        return min(max(value, edge), 1.0 - edge)


def _between(p: float, x: Sequence[float], y: Sequence[float]) -> float:
    """Linear between the points (x, y), flat outside."""
    right = bisect_right(x, p)
    if right == 0:
        return y[0]
    if right == len(x):
        return y[-1]
    left = right - 1
    return y[left] + (y[right] - y[left]) * (p - x[left]) / (x[right] - x[left])


IDENTITY = Curve(shape="logit", method="identity", labels=0)
