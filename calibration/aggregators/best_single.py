"""The baseline of one model: the member that was right most often on the labels."""

from __future__ import annotations

import numpy as np

from calibration.aggregators.scaling import scaled
from calibration.aggregators.vote_weights import VoteWeights
from calibration.ballots import Ballots
from calibration.correlation import errors
from calibration.tally import Floats


def fit(ballots: Ballots) -> VoteWeights:
    """Only the best member's vote counts; where it gives no answer, there is none. A tie goes to the first column."""
    best = ballots.models[int(np.argmax(accuracies(ballots)))]
    return scaled(VoteWeights(steps=(), models={best: 1.0}), ballots)


def accuracies(ballots: Ballots) -> Floats:
    """Float (m,): share of right answers of each model where it was asked; 0 without a label.

    The mean is over one label more than there are, a wrong one: a model asked once and right is not the best there is.
    """
    wrong = errors(ballots)
    right = (wrong == 0).sum(axis=0)
    return np.asarray(right / ((~np.isnan(wrong)).sum(axis=0) + 1.0))
