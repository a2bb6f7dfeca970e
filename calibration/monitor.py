"""The watch over a certificate: audited outcomes of accepted answers, looked at as often as one likes.

Wealth is the mean over fixed bets c of Π (1 + c (error − α)), a supermartingale while the error rate is α or less; by
Ville's inequality it ever reaches 1 / δ with probability at most δ, over the certificate's whole life and whenever one
stops (Ramdas et al. 2023, "Game-theoretic statistics and safe anytime-valid inference", doi:10.1214/23-STS894).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Self

import numpy as np
from pydantic import Field

from calibration.frozen import Frozen

_FRACTIONS = np.array([0.01, 0.03, 0.08, 0.2, 0.4])
"""Bets as shares of the largest, 1 / α. Small ones see small excesses in time, large ones see large ones soon."""


class Monitor(Frozen):
    """Audits of one certificate so far. ``peak`` is the largest log wealth ever reached: a revocation stays one."""

    alpha: float = Field(gt=0, lt=1)
    delta: float = Field(gt=0, lt=1)
    audits: int = 0
    errors: int = 0
    peak: float = 0.0

    @property
    def log_wealth(self) -> float:
        """Log of the evidence against the certificate, in nats; a function of the counts alone."""
        bets = _FRACTIONS / self.alpha
        logs = self.errors * np.log1p(bets * (1 - self.alpha))
        logs = logs + (self.audits - self.errors) * np.log1p(-bets * self.alpha)
        top = float(logs.max())
        return top + math.log(float(np.exp(logs - top).mean()))

    @property
    def revokes(self) -> bool:
        """Whether the certificate must be withdrawn."""
        return self.peak >= -math.log(self.delta)

    def after(self, outcomes: Iterable[bool]) -> Self:
        """The monitor after further outcomes, ``True`` an error, in the order in which they were drawn for audit."""
        state = self
        for wrong in outcomes:
            state = state.model_copy(update={"audits": state.audits + 1, "errors": state.errors + bool(wrong)})
            state = state.model_copy(update={"peak": max(state.peak, state.log_wealth)})
        return state
