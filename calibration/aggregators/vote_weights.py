"""The form in which every fitted vote-counting method is kept: a softmax over candidates of summed vote weights.

For a candidate c with k votes, ``score(c) = Σ_{models m voting c} weight(m, domain, answer type) + Σ_{j ≤ k} step_j``; a
candidate without votes scores 0, "none of these" of an open question scores ``none``. The posterior is the softmax of
the scores, so options that nobody chose keep mass and any number of options is possible.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property

import numpy as np

from calibration.ballots import Ballots
from calibration.frozen import Frozen
from calibration.tally import Floats, Tally


class VoteWeights(Frozen):
    """Weights of votes in nats.

    steps    what the j-th vote for the same candidate adds, whoever casts it; beyond the last one nothing.
    models   what a model's vote adds on top. A model that is not here adds 0: it counts as an average one.
    domains  domain → model → term added in that domain; an unseen domain adds 0.
    types    answer type → model → term. Only the types named here have been fitted.
    none     score of "none of these" (open questions), with ``none_domains`` added by domain.
    """

    steps: tuple[float, ...]
    models: dict[str, float]
    domains: dict[str, dict[str, float]] = {}
    types: dict[str, dict[str, float]] = {}
    none: float = 0.0
    none_domains: dict[str, float] = {}

    @cached_property
    def _cumulative(self) -> tuple[float, ...]:
        sums = [0.0]
        for step in self.steps:
            sums.append(sums[-1] + step)
        return tuple(sums)

    def step_sum(self, count: int) -> float:
        """What ``count`` votes add whoever casts them."""
        return self._cumulative[min(count, len(self.steps))]

    def vote(self, model: str, domain: str, answer_type: str) -> float:
        """What one vote of ``model`` adds to its candidate, steps apart."""
        return (
            self.models.get(model, 0.0)
            + self.domains.get(domain, {}).get(model, 0.0)
            + self.types.get(answer_type, {}).get(model, 0.0)
        )

    def none_score(self, domain: str) -> float:
        """Score of "none of these" in a domain."""
        return self.none + self.none_domains.get(domain, 0.0)

    def posterior_one(self, weights: Sequence[float], votes: Sequence[int], size: int, none: float | None) -> Floats:
        """Posterior of one ballot in plain arithmetic: float (size [+ 1 for "none of these"]).

        ``weights`` are `vote` of each member; negative votes are no votes; ``none`` is `none_score`, or ``None`` where
        the candidates are all there is.
        """
        scores = [0.0] * size
        counts = [0] * size
        for weight, vote in zip(weights, votes, strict=True):
            if vote >= 0:
                scores[vote] += weight
                counts[vote] += 1
        steps, last = self._cumulative, len(self.steps)
        scores = [s + steps[min(c, last)] if c else 0.0 for s, c in zip(scores, counts, strict=True)]
        if none is not None:
            scores.append(none)
        return softmax_one(scores)

    def posterior(self, ballots: Ballots) -> Floats:
        """Posteriors of a table: float (n, w), w = max candidates + 1, "none of these" at column candidates[i]."""
        tally = Tally.of(ballots)
        matrix = self._matrix(ballots)
        scores = tally.sum_by_slot(matrix)
        scores += np.asarray(self._cumulative)[np.minimum(tally.count, len(self.steps))]
        none = np.array([self.none_score(domain) for domain in ballots.domains])
        return spread(scores, tally, ballots, none)

    def _matrix(self, ballots: Ballots) -> Floats:
        """Float (n, m): the weight of each member's vote on each ballot."""
        known: dict[tuple[str, str], list[float]] = {}
        for key in set(zip(ballots.domains, ballots.answer_types, strict=True)):
            known[key] = [self.vote(model, *key) for model in ballots.models]
        rows = [known[key] for key in zip(ballots.domains, ballots.answer_types, strict=True)]
        return np.array(rows).reshape(ballots.votes.shape)


def softmax_one(scores: Sequence[float]) -> Floats:
    """Softmax of a few scores; the largest is subtracted first so that nothing overflows."""
    top = max(scores)
    powers = [math.exp(score - top) for score in scores]
    total = sum(powers)
    return np.array([power / total for power in powers])


def spread(scores: Floats, tally: Tally, ballots: Ballots, none: Floats) -> Floats:
    """Softmax of slot scores laid out over candidates: float (n, w) as `VoteWeights.posterior` gives it."""
    n = len(ballots)
    width = int(ballots.candidates.max(initial=0)) + 1
    table = np.zeros((n, width))
    row, slot = np.nonzero(tally.count)
    table[row, tally.candidate[row, slot]] = scores[row, slot]
    open_rows = np.flatnonzero(ballots.open_set)
    table[open_rows, ballots.candidates[open_rows]] = none[open_rows]
    table[np.arange(width) >= (ballots.candidates + ballots.open_set)[:, None]] = -np.inf
    table -= table.max(axis=1, keepdims=True)
    powers = np.exp(table)
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))
