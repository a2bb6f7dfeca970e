"""The form in which fitted vote-weighing methods are kept: a softmax over candidates of summed vote weights.

A candidate with k ≥ 1 votes scores the sum of
  weight(m, domain, answer type)   over the models m that vote for it: what a vote of that model is worth,
  step_1 + … + step_k              whoever votes: the second vote for a candidate tells less than the first,
  k · crowd · log odds of options  a coincidence is less likely among many options,
  position(candidate)              models lean towards some positions of a list when they guess
                                   (Zheng et al. 2023, "Large language models are not robust multiple choice selectors",
                                   arXiv:2309.03882),
  silence · silent members         abstentions and refusals say that the question is hard.
An option without votes scores 0. "None of these" of an open question scores ``none``, and ``none_votes`` per vote; a
cluster that nobody is in does not exist. The posterior is the softmax of the scores, so options that nobody chose keep
mass and any number of options is possible.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property

import numpy as np

from calibration.ballots import Ballots, NoVote
from calibration.frozen import Frozen
from calibration.tally import Floats, Tally

UNHEARD = (int(NoVote.NOT_ASKED), int(NoVote.CANCELLED), int(NoVote.FAILED))
"""No votes that say nothing about the question: the member never spoke. All other no votes are silence."""


class VoteWeights(Frozen):
    """Weights of votes in nats.

    steps      what the j-th vote for the same candidate adds, whoever casts it; beyond the last one nothing.
    models     what a model's vote adds on top. A model that is not here adds 0: it counts as an average one.
    domains    domain → model → term added in that domain; an unseen domain adds 0.
    types      answer type → model → term added for that type.
    positions  what a voted candidate at each position adds; beyond the last one nothing.
    crowd      per vote and unit of log((K − 1) / (K_ref − 1)), K the number of options.
    options    (fewest, reference, most) options seen at fitting; K is clipped to that range.
    silence    added to every voted candidate per member that was heard and gave no answer.
    none       score of "none of these" (open questions), with ``none_domains`` added by domain and ``none_votes`` per
               vote: the more have answered, the less likely is it that nobody is right.
    """

    steps: tuple[float, ...]
    models: dict[str, float]
    domains: dict[str, dict[str, float]] = {}
    types: dict[str, dict[str, float]] = {}
    positions: tuple[float, ...] = ()
    crowd: float = 0.0
    options: tuple[int, int, int] = (2, 2, 2)
    silence: float = 0.0
    none: float = 0.0
    none_domains: dict[str, float] = {}
    none_votes: float = 0.0

    @cached_property
    def _cumulative(self) -> tuple[float, ...]:
        sums = [0.0]
        for step in self.steps:
            sums.append(sums[-1] + step)
        return tuple(sums)

    def vote(self, model: str, domain: str, answer_type: str) -> float:
        """What one vote of ``model`` adds to its candidate, counts apart."""
        return (
            self.models.get(model, 0.0)
            + self.domains.get(domain, {}).get(model, 0.0)
            + self.types.get(answer_type, {}).get(model, 0.0)
        )

    def none_score(self, domain: str) -> float:
        """Score of "none of these" in a domain, votes apart."""
        return self.none + self.none_domains.get(domain, 0.0)

    def posterior_one(self, weights: Sequence[float], votes: Sequence[int], size: int, none: float | None) -> Floats:
        """Posterior of one ballot in plain arithmetic: float (size [+ 1 for "none of these"]).

        ``weights`` are `vote` of each member, ``none`` is `none_score`, or ``None`` for a closed question, whose
        candidates are all there is.
        """
        scores, counts, silent, cast = [0.0] * size, [0] * size, 0, 0
        for weight, vote in zip(weights, votes, strict=True):
            if vote >= 0:
                scores[vote] += weight
                counts[vote] += 1
                cast += 1
            elif vote not in UNHEARD:
                silent += 1
        crowd = self.crowd * crowding(size, self.options) if none is None else 0.0
        silence = self.silence * silent
        for candidate, count in enumerate(counts):
            if count:
                scores[candidate] += self._shared(candidate, count, none is None) + crowd * count + silence
            elif none is not None:
                scores[candidate] = -math.inf
        return softmax_one(scores if none is None else [*scores, none + self.none_votes * cast])

    def _shared(self, candidate: int, count: int, closed: bool) -> float:
        position = self.positions[candidate] if closed and candidate < len(self.positions) else 0.0
        return self._cumulative[min(count, len(self.steps))] + position

    def posterior(self, ballots: Ballots) -> Floats:
        """Posteriors of a table: float (n, w), w = max candidates + 1, "none of these" at column candidates[i]."""
        tally = Tally.of(ballots)
        return spread(*self.scores(ballots, tally), tally, ballots)

    def scores(self, ballots: Ballots, tally: Tally) -> tuple[Floats, Floats]:
        """Scores of slots, float (n, s), and of "none of these", float (n,)."""
        scores = tally.sum_by_slot(self._matrix(ballots))
        scores += np.asarray(self._cumulative)[np.minimum(tally.count, len(self.steps))]
        scores += self.crowd * tally.count * log_options(ballots, self.options)[:, None]
        scores += np.append(self.positions, 0.0)[positions_of(tally, ballots, len(self.positions))]
        scores += self.silence * silent_members(ballots)[:, None]
        none = np.array([self.none_score(domain) for domain in ballots.domains])
        none = none + self.none_votes * tally.count.sum(axis=1)
        return scores, none

    def _matrix(self, ballots: Ballots) -> Floats:
        """Float (n, m): the weight of each member's vote on each ballot."""
        keys = list(zip(ballots.domains, ballots.answer_types, strict=True))
        known = {key: [self.vote(model, *key) for model in ballots.models] for key in set(keys)}
        return np.array([known[key] for key in keys], dtype=np.float64).reshape(ballots.votes.shape)


def crowding(size: int, options: tuple[int, int, int]) -> float:
    """log((K − 1) / (K_ref − 1)) with K clipped to the range that was seen; a single option tells nothing."""
    fewest, reference, most = options
    clipped = min(max(size, fewest), most)
    return math.log((clipped - 1) / (reference - 1)) if clipped > 1 and reference > 1 else 0.0


def log_options(ballots: Ballots, options: tuple[int, int, int]) -> Floats:
    """Float (n,): `crowding` of closed questions, 0 for open ones."""
    sizes = np.unique(ballots.candidates)
    table = np.array([crowding(int(size), options) for size in sizes])
    values = table[np.searchsorted(sizes, ballots.candidates)] if len(sizes) else np.zeros(0)
    return np.where(ballots.open_set, 0.0, values)


def positions_of(tally: Tally, ballots: Ballots, known: int) -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
    """Int (n, s): position of each slot's candidate among ``known`` positions, ``known`` where there is none."""
    usable = (tally.candidate >= 0) & (tally.candidate < known) & ~ballots.open_set[:, None]
    return np.where(usable, tally.candidate, known)


def silent_members(ballots: Ballots) -> Floats:
    """Float (n,): members that were heard and gave no answer."""
    return np.asarray(((ballots.votes < 0) & ~np.isin(ballots.votes, UNHEARD)).sum(axis=1), dtype=np.float64)


def softmax_one(scores: Sequence[float]) -> Floats:
    """Softmax of a few scores; the largest is subtracted first so that nothing overflows."""
    top = max(scores)
    powers = [math.exp(score - top) for score in scores]
    total = sum(powers)
    return np.array([power / total for power in powers])


def spread(scores: Floats, none: Floats, tally: Tally, ballots: Ballots) -> Floats:
    """Softmax of slot scores laid out over candidates: float (n, w) as `VoteWeights.posterior` gives it."""
    n = len(ballots)
    width = int(ballots.candidates.max(initial=0)) + 1
    table = np.zeros((n, width))
    row, slot = np.nonzero(tally.count)
    open_rows = np.flatnonzero(ballots.open_set)
    table[open_rows] = -np.inf
    table[row, tally.candidate[row, slot]] = scores[row, slot]
    table[open_rows, ballots.candidates[open_rows]] = none[open_rows]
    table[np.arange(width) >= (ballots.candidates + ballots.open_set)[:, None]] = -np.inf
    table -= table.max(axis=1, keepdims=True)
    powers = np.exp(table)
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))
