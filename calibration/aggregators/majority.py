"""Plurality vote: every member counts the same (Condorcet 1785, "Essai sur l'application de l'analyse")."""

from __future__ import annotations

from calibration.aggregators.scaling import scaled
from calibration.aggregators.vote_weights import VoteWeights
from calibration.ballots import Ballots


def fit(ballots: Ballots) -> VoteWeights:
    """Equal votes; labels, where there are any, only set how sure a lead of one vote makes. Leads tie as counts tie."""
    return scaled(VoteWeights(steps=(1.0,) * len(ballots.models), models={}), ballots)
