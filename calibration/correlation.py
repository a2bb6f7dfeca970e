"""How often members err together, and what that leaves of their number."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property
from itertools import combinations

import numpy as np

from calibration.ballots import UNKNOWN, Ballots, NoVote
from calibration.frozen import Frozen
from calibration.tally import Floats

ASSUMED = 0.43
"""Mean pairwise correlation of wrong-answer indicators of five models of five families on MMLU-Pro, complete rows."""

POOLED = "*"
"""Name of the pool of all domains."""

_PRIOR_PAIR = 50.0
_PRIOR_DOMAIN = 100.0


def effective_votes(n: int, rho: float) -> float:
    """How many independent votes n votes with mean pairwise error correlation ``rho`` are worth: n / (1 + (n − 1) ρ).

    The variance of a mean of n equally correlated variables is that of n / (1 + (n − 1) ρ) independent ones (Kish's
    design effect). Lies in [0, n]: a negative ``rho`` counts as 0, since errors that avoid each other in a sample are
    no promise of more than n votes.
    """
    return 0.0 if n <= 0 else n / (1.0 + (n - 1) * min(max(rho, 0.0), 1.0))


def effective_votes_assumed(n: int, rho: float = ASSUMED) -> float:
    """Effective votes before anything is fitted; say ``assumed`` wherever it is shown."""
    return effective_votes(n, rho)


class PairCorrelation(Frozen):
    """Error correlation of two models in a domain (``*``: all), with a 95 % interval, on ``labels`` common labels."""

    a: str
    b: str
    domain: str
    rho: float
    low: float
    high: float
    labels: int


class Correlations(Frozen):
    """Pairwise error correlations; ``mean`` is what an unseen pair is taken to have."""

    mean: float
    pairs: tuple[PairCorrelation, ...]

    @cached_property
    def _by_pair(self) -> dict[tuple[str, str, str], float]:
        return {(pair.a, pair.b, pair.domain): pair.rho for pair in self.pairs}

    def rho(self, a: str, b: str, domain: str) -> float:
        """Correlation of a pair in a domain, else over all domains, else the mean over pairs."""
        first, second = sorted((a, b))
        pooled = self._by_pair.get((first, second, POOLED), self.mean)
        return self._by_pair.get((first, second, domain), pooled)

    @cached_property
    def _bounds(self) -> dict[tuple[str, str, str], tuple[float, float]]:
        return {(pair.a, pair.b, pair.domain): (pair.low, pair.high) for pair in self.pairs}

    def bounds(self, a: str, b: str, domain: str) -> tuple[float, float]:
        """95 % interval of `rho`; of a pair that was never seen nothing is known: (0, 1)."""
        first, second = sorted((a, b))
        pooled = self._bounds.get((first, second, POOLED), (0.0, 1.0))
        return self._bounds.get((first, second, domain), pooled)

    def effective_votes_interval(self, models: Sequence[str], domain: str) -> tuple[float, float]:
        """An interval of at least 95 %: as wide as if the errors of all pairs' correlations went the same way."""
        names = sorted(set(models))
        bounds = [self.bounds(a, b, domain) for a, b in combinations(names, 2)] or [(0.0, 0.0)]
        low, high = (sum(side) / len(bounds) for side in zip(*bounds, strict=True))
        return effective_votes(len(names), high), effective_votes(len(names), low)

    def effective_votes(self, models: Sequence[str], domain: str) -> float:
        """Effective votes of distinct models in a domain."""
        names = sorted(set(models))
        rhos = [self.rho(a, b, domain) for a, b in combinations(names, 2)]
        return effective_votes(len(names), sum(rhos) / len(rhos) if rhos else 0.0)


def errors(ballots: Ballots) -> Floats:
    """Float (n, m): 1 where a model that was asked did not give the right answer, 0 where it did, NaN where unknown.

    Abstentions, refusals and failures are errors: they stay in the denominator. Not asked and cancelled say nothing.
    """
    wrong = ~ballots.right_at(ballots.votes)
    unheard = np.isin(ballots.votes, (NoVote.NOT_ASKED, NoVote.CANCELLED)) | (ballots.truth == UNKNOWN)[:, None]
    return np.where(unheard, np.nan, wrong.astype(float))


def mean_correlation(ballots: Ballots) -> float | None:
    """Mean pairwise correlation of wrong-answer indicators over rows on which every model was asked.

    A model without variance (always right, always wrong) has no correlation and leaves its pairs out; ``None`` when no
    pair is left.
    """
    wrong = errors(ballots)
    wrong = wrong[~np.isnan(wrong).any(axis=1)]
    rhos = [pearson(wrong[:, i], wrong[:, j]) for i, j in combinations(range(wrong.shape[1]), 2)]
    known = [rho for rho in rhos if rho is not None]
    return sum(known) / len(known) if known else None


def fit(ballots: Ballots) -> Correlations:
    """Pairwise correlations over all domains shrunk to their mean, and per domain shrunk to the pair's own.

    Shrinkage works on Fisher's z, whose variance is 1 / (n − 3) whatever the correlation: an estimate on n labels is
    averaged with its parent as if the parent were `_PRIOR_PAIR` (pair) or `_PRIOR_DOMAIN` (domain) labels.
    """
    wrong = errors(ballots)
    found = mean_correlation(ballots)
    mean = ASSUMED if found is None else found
    domains = np.array(ballots.domains, dtype=str)
    pairs: list[PairCorrelation] = []
    for i, j in combinations(range(len(ballots.models)), 2):
        both = ~np.isnan(wrong[:, i]) & ~np.isnan(wrong[:, j])
        pooled = _shrunk(ballots, i, j, POOLED, wrong[both], mean, _PRIOR_PAIR)
        pairs.append(pooled)
        for domain in sorted(set(domains[both].tolist()) - {""}):
            rows = wrong[both & (domains == domain)]
            pairs.append(_shrunk(ballots, i, j, domain, rows, pooled.rho, _PRIOR_DOMAIN))
    return Correlations(mean=mean, pairs=tuple(pairs))


def _shrunk(
    ballots: Ballots, i: int, j: int, domain: str, wrong: Floats, parent: float, prior: float
) -> PairCorrelation:
    a, b = sorted((ballots.models[i], ballots.models[j]))
    n = len(wrong)
    rho = pearson(wrong[:, i], wrong[:, j])
    weight = max(n - 3.0, 0.0) if rho is not None else 0.0
    z = (weight * _fisher(rho or 0.0) + prior * _fisher(parent)) / (weight + prior)
    half = 1.96 / math.sqrt(weight + prior)
    return PairCorrelation(
        a=a, b=b, domain=domain, rho=math.tanh(z), low=math.tanh(z - half), high=math.tanh(z + half), labels=n
    )


def pearson(x: Floats, y: Floats) -> float | None:
    """Correlation over the rows where both are known; ``None`` below four of them or without variance."""
    both = ~np.isnan(x) & ~np.isnan(y)
    x, y = x[both], y[both]
    if len(x) < 4 or x.std() == 0 or y.std() == 0:
        return None
    return float(np.corrcoef(x, y)[0, 1])


def _fisher(rho: float) -> float:
    return math.atanh(min(max(rho, -0.999), 0.999))
