"""Conditional logit (McFadden 1974, "Conditional logit analysis of qualitative choice behavior") over vote weights."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

from calibration.aggregators.vote_weights import VoteWeights
from calibration.ballots import UNKNOWN, Ballots
from calibration.tally import Floats, Ints, Tally


@dataclass(frozen=True)
class Ridge:
    """Strengths of the Gaussian priors, as 1 / variance in nats⁻²."""

    steps: float = 0.1
    models: float = 1.0
    domains: float = 8.0
    types: float = 8.0
    none: float = 0.01
    none_domains: float = 8.0


def fit(ballots: Ballots, ridge: Ridge = Ridge()) -> VoteWeights:  # noqa: B008  (frozen)
    """Maximum a-posteriori vote weights of labelled ballots (n, m); unlabelled rows are ignored.

    Deterministic; finite on separable, all-tied, single-class and tiny tables because every term has a proper prior.
    """
    problem = _Problem.of(ballots.take(ballots.truth != UNKNOWN), ridge)
    found = minimize(problem.loss, np.zeros(problem.size), jac=True, method="L-BFGS-B", options={"maxiter": 300})
    return problem.weights(found.x)


@dataclass(frozen=True)
class _Problem:
    """Penalised negative log likelihood. Parameters: steps (m), models (m), domain × model, type × model, none, its domains."""

    ballots: Ballots
    tally: Tally
    domains: tuple[str, ...]
    types: tuple[str, ...]
    domain: Ints
    type: Ints
    penalty: Floats

    @classmethod
    def of(cls, ballots: Ballots, ridge: Ridge) -> _Problem:
        domains, domain = _codes(ballots.domains)
        types, kind = _codes(ballots.answer_types)
        m, d, t = len(ballots.models), len(domains), len(types)
        penalty = np.concatenate([
            np.full(m, ridge.steps), np.full(m, ridge.models), np.full(d * m, ridge.domains),
            np.full(t * m, ridge.types), [ridge.none], np.full(d, ridge.none_domains),
        ])
        return cls(ballots, Tally.of(ballots), domains, types, domain, kind, penalty)

    @property
    def size(self) -> int:
        return len(self.penalty)

    def split(self, theta: Floats) -> tuple[Floats, Floats, Floats, Floats, Floats]:
        """steps (m,), models (m,), domains (d, m), types (t, m), none (1 + d,)."""
        m, d, t = len(self.ballots.models), len(self.domains), len(self.types)
        parts = np.split(theta, np.cumsum([m, m, d * m, t * m]))
        return parts[0], parts[1], parts[2].reshape(d, m), parts[3].reshape(t, m), parts[4]

    def loss(self, theta: Floats) -> tuple[float, Floats]:
        """Penalised loss in nats and its gradient."""
        steps, models, domains, types, none = self.split(theta)
        tally = self.tally
        scores = tally.sum_by_slot(models + domains[self.domain] + types[self.type])
        scores += np.concatenate([[0.0], np.cumsum(steps)])[tally.count]
        none_score = none[0] + none[1:][self.domain]
        share, rest, log_total = self._softmax(scores, none_score)
        hit = tally.truth >= 0
        rows = np.flatnonzero(hit)
        missed = self.ballots.open_set & ~hit
        value = log_total.sum() - scores[rows, tally.truth[rows]].sum() - none_score[missed].sum()
        share[rows, tally.truth[rows]] -= 1.0
        gradient = self._gradient(share, rest - missed)
        return float(value + 0.5 * (self.penalty * theta**2).sum()), gradient + self.penalty * theta

    def _softmax(self, scores: Floats, none: Floats) -> tuple[Floats, Floats, Floats]:
        """Probabilities of the slots (n, s) and of "none of these" (n,), and the log normaliser (n,)."""
        tally = self.tally
        slots = np.where(tally.count > 0, scores, -np.inf)
        nobody = np.where(tally.unvoted > 0, 0.0, -np.inf)
        absent = np.where(self.ballots.open_set, none, -np.inf)
        top = np.maximum(np.maximum(slots.max(axis=1), nobody), absent)
        powers = np.exp(slots - top[:, None])
        none_power = np.exp(absent - top)
        total = powers.sum(axis=1) + tally.unvoted * np.exp(-top) + none_power
        return powers / total[:, None], none_power / total, top + np.log(total)

    def _gradient(self, residual: Floats, none: Floats) -> Floats:
        m, tally = len(self.ballots.models), self.tally
        votes = tally.at_votes(residual)
        by_count = np.bincount(tally.count.ravel(), weights=residual.ravel(), minlength=m + 1)
        steps = np.cumsum(by_count[::-1])[::-1][1 : m + 1]
        domains = _grouped(votes, self.domain, len(self.domains))
        none_domains = np.bincount(self.domain, weights=none, minlength=len(self.domains))
        types = _grouped(votes, self.type, len(self.types))
        return np.concatenate(
            [steps, votes.sum(axis=0), domains.ravel(), types.ravel(), [none.sum()], none_domains]
        )

    def weights(self, theta: Floats) -> VoteWeights:
        steps, models, domains, types, none = (part.tolist() for part in self.split(theta))
        names = self.ballots.models
        return VoteWeights(
            steps=tuple(steps),
            models=dict(zip(names, models, strict=True)),
            domains={name: dict(zip(names, row, strict=True)) for name, row in zip(self.domains, domains, strict=True)},
            types={name: dict(zip(names, row, strict=True)) for name, row in zip(self.types, types, strict=True)},
            none=none[0],
            none_domains=dict(zip(self.domains, none[1:], strict=True)),
        )


def _codes(names: tuple[str, ...]) -> tuple[tuple[str, ...], Ints]:
    distinct, codes = np.unique(np.array(names, dtype=str), return_inverse=True)
    return tuple(distinct.tolist()), codes.astype(np.int64)


def _grouped(values: Floats, group: Ints, groups: int) -> Floats:
    """Float (groups, m): rows of the (n, m) values added up by group."""
    member = np.zeros((groups, len(group)))
    member[group, np.arange(len(group))] = 1.0
    return np.asarray(member @ values)
