"""A fitted calibration curve: raw confidence in, probability out, with plain arithmetic at request time."""

from __future__ import annotations

import math
from bisect import bisect_right
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
        edge = 1.0 / (self.labels + 2.0) if self.labels else 0.0
        return min(max(self._value(p, domain), edge), 1.0 - edge)

    def _value(self, p: float, domain: str) -> float:
        if self.shape == "logit":
            return expit(self.slope * logit(p) + self.intercept + self.domains.get(domain, 0.0))
        if self.shape == "knots":
            return self._between(p)
        return self.domain_y.get(domain, self.y)[max(bisect_right(self.x, p) - 1, 0)]

    def _between(self, p: float) -> float:
        right = bisect_right(self.x, p)
        if right == 0:
            return self.y[0]
        if right == len(self.x):
            return self.y[-1]
        span = self.x[right] - self.x[right - 1]
        return self.y[right - 1] + (self.y[right] - self.y[right - 1]) * (p - self.x[right - 1]) / span


IDENTITY = Curve(shape="logit", method="identity", labels=0)
