"""A fixed weighing of votes made into probabilities: one temperature, and one score for "none of these"."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_matrix

from calibration.aggregators.design import Design
from calibration.aggregators.likelihood import Likelihood
from calibration.aggregators.vote_weights import VoteWeights
from calibration.ballots import UNKNOWN, Ballots
from calibration.tally import Tally

_PRIOR = np.array([1.0, 0.1])
"""Strength of the Gaussian priors of the inverse temperature (mean 1) and of the score of "none of these" (mean 0)."""

_LEAST = 1e-3
"""The scale stays positive: a weighing is never turned around."""


def scaled(shape: VoteWeights, ballots: Ballots) -> VoteWeights:
    """``shape`` with all scores of voted candidates multiplied by the scale under which labelled ballots are likeliest.

    Weights that ignore that members err together are too sure of themselves; the scale is the inverse temperature that
    undoes it on average. Unlabelled rows are ignored; without labels the scale is 1.
    """
    known = ballots.take(ballots.truth != UNKNOWN)
    design, tally = Design.of(known), Tally.of(known)
    scores = design.lay_out(*shape.scores(known, tally))
    columns = np.stack([np.where(design.slot >= 0, scores, 0.0), design.slot < 0], axis=1)
    likelihood = Likelihood(design, csr_matrix(columns), scores, _PRIOR)
    shift, none = likelihood.minimum(bounds=[(_LEAST - 1.0, None), (None, None)]).tolist()
    return _times(shape, 1.0 + shift).model_copy(update={"none": shape.none + none})


def _times(shape: VoteWeights, scale: float) -> VoteWeights:
    def row(values: dict[str, float]) -> dict[str, float]:
        return {name: scale * value for name, value in values.items()}

    return shape.model_copy(
        update={
            "steps": tuple(scale * step for step in shape.steps),
            "models": row(shape.models),
            "domains": {domain: row(values) for domain, values in shape.domains.items()},
            "types": {kind: row(values) for kind, values in shape.types.items()},
            "positions": tuple(scale * value for value in shape.positions),
            "crowd": scale * shape.crowd,
            "silence": scale * shape.silence,
        }
    )
