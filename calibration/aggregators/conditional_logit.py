"""Conditional logit over vote weights, with model × domain terms.

McFadden 1974, "Conditional logit analysis of qualitative choice behavior", in Frontiers in Econometrics; the ridge is a
Gaussian prior on every term, so that a term with few labels stays near its parent.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np

from calibration.aggregators.design import Design
from calibration.aggregators.likelihood import Likelihood
from calibration.aggregators.vote_weights import VoteWeights
from calibration.ballots import UNKNOWN, Ballots, stack


@dataclass(frozen=True)
class Ridge:
    """Strengths of the Gaussian priors, 1 / variance in nats⁻², found on the recorded panels at 200 to 4,000 labels."""

    steps: float = 0.1
    models: float = 1.0
    domains: float = 8.0
    types: float = 8.0
    positions: float = 16.0
    crowd: float = 8.0
    silence: float = 4.0
    none: float = 0.1
    none_votes: float = 1.0
    none_domains: float = 8.0


DEFAULT = Ridge()


def fit(ballots: Ballots, ridge: Ridge = DEFAULT, partial: Sequence[Collection[str]] = ()) -> VoteWeights:
    """Maximum a-posteriori vote weights of labelled ballots (n, m); unlabelled rows are ignored.

    ``partial`` names the parts of the panel that are heard alone at times, such as the first waves of a lazy panel: the
    weights are fitted to what is seen then, too, each view of a ballot counting as a share of it.
    Deterministic; finite on separable, all-tied, single-class and tiny tables because every term has a proper prior.
    """
    known = ballots.take(ballots.truth != UNKNOWN)
    design = Design.of(stack([known, *(known.heard(part) for part in partial)]))
    strengths = asdict(ridge)
    sizes = {term: high - low for term, (low, high) in design.columns.items()}
    penalty = (1 + len(partial)) * np.concatenate([np.full(size, strengths[term]) for term, size in sizes.items()])
    likelihood = Likelihood(design, design.matrix, np.zeros(len(design.ballot)), penalty)
    return design.weights(likelihood.minimum())


def fit_pooled(ballots: Ballots, partial: Sequence[Collection[str]] = ()) -> VoteWeights:
    """The same without domains, for labels too few to tell them apart."""
    return fit(replace(ballots, domains=("",) * len(ballots)), DEFAULT, partial)
