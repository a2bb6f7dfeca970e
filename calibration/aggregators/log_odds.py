"""Weighted vote by log odds of being right.

Nitzan & Paroush 1982, "Optimal decision rules in uncertain dichotomous choice situations", International Economic
Review 23(2), doi:10.2307/2526438: optimal for members that err independently. Here with shrunk accuracies per model ×
domain.
"""

from __future__ import annotations

import math

from calibration import reliability
from calibration.aggregators.scaling import scaled
from calibration.aggregators.vote_weights import VoteWeights
from calibration.ballots import UNKNOWN, Ballots
from calibration.correlation import POOLED
from calibration.curve import logit

REFERENCE_OPTIONS = 10
"""Options of the question for which a wrong vote is one in nine; open questions count as such, too."""


def fit(ballots: Ballots) -> VoteWeights:
    """Log odds of shrunk reliabilities, scaled to be probabilities on the labels (members do err together)."""
    found = reliability.fit(ballots.take(ballots.truth != UNKNOWN))
    pooled = {entry.model: logit(entry.mean) for entry in found if entry.domain == POOLED}
    domains: dict[str, dict[str, float]] = {}
    for entry in found:
        if entry.domain != POOLED:
            domains.setdefault(entry.domain, {})[entry.model] = logit(entry.mean) - pooled[entry.model]
    return scaled(weighing(pooled, domains, ballots), ballots)


def weighing(models: dict[str, float], domains: dict[str, dict[str, float]], ballots: Ballots) -> VoteWeights:
    """Vote weights of members with given log odds, whose errors fall on any of the K − 1 other options alike."""
    closed = ballots.candidates[~ballots.open_set]
    fewest, most = (int(closed.min()), int(closed.max())) if len(closed) else (2, 2)
    return VoteWeights(
        steps=(math.log(REFERENCE_OPTIONS - 1),) * len(ballots.models),
        models=models,
        domains=domains,
        crowd=1.0,
        options=(fewest, REFERENCE_OPTIONS, most),
    )
