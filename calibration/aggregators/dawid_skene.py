"""Agreement without labels: each member's accuracy estimated from the others.

Dawid & Skene 1979, "Maximum likelihood estimation of observer error-rates using the EM algorithm", Applied Statistics
28(1), doi:10.2307/2346806, in its one-coin form: options of different questions have nothing in common, so a member has
one accuracy and its errors fall on any other option alike.
"""

from __future__ import annotations

import numpy as np

from calibration.aggregators.log_odds import weighing
from calibration.aggregators.vote_weights import VoteWeights
from calibration.ballots import Ballots
from calibration.curve import logit
from calibration.tally import Floats, Tally

_ROUNDS = 100
_CLOSE = 1e-6


def fit(ballots: Ballots) -> VoteWeights:
    """Vote weights from unlabelled ballots (truth is not looked at).

    A start before there are labels, for order and weights only: members that err together look like members that are
    right together, so its posterior is far too sure and is never shown as a probability.
    """
    tally = Tally.of(ballots)
    voted = tally.slot >= 0
    accuracy = _m_step(tally.count / np.maximum(tally.count.sum(axis=1, keepdims=True), 1), tally)
    for _ in range(_ROUNDS):
        before = accuracy
        accuracy = _m_step(_e_step(accuracy, ballots), tally)
        if np.abs(accuracy - before).max(initial=0.0) < _CLOSE:
            break
    heard = voted.sum(axis=0)
    odds = {name: logit(float(p)) for name, p, k in zip(ballots.models, accuracy, heard, strict=True) if k}
    return weighing(odds, {}, ballots)


def _e_step(accuracy: Floats, ballots: Ballots) -> Floats:
    """Float (n, s): probability of each voted candidate, given the members' accuracies (m,)."""
    odds = {name: logit(float(p)) for name, p in zip(ballots.models, accuracy, strict=True)}
    posterior = weighing(odds, {}, ballots).posterior(ballots)
    tally = Tally.of(ballots)
    read = np.take_along_axis(posterior, np.maximum(tally.candidate, 0), axis=1)
    return np.where(tally.candidate >= 0, read, 0.0)


def _m_step(share: Floats, tally: Tally) -> Floats:
    """Float (m,): expected share of right votes with one imagined right and one wrong vote each."""
    voted = (tally.slot >= 0).sum(axis=0)
    return np.asarray((tally.at_votes(share).sum(axis=0) + 1.0) / (voted + 2.0))
