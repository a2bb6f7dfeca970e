"""How often each model is right in each domain, shrunk where labels are few."""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize
from scipy.special import betaincinv, betaln, expit

from calibration.ballots import Ballots
from calibration.correlation import ASSUMED, POOLED, effective_votes, errors, mean_correlation
from calibration.frozen import Frozen
from calibration.tally import Floats

_STRENGTHS = np.geomspace(4.0, 400.0, 24)
"""Candidate strengths κ of the beta prior, in labels."""

_JEFFREYS = 0.5
"""Imagined right and wrong answers in every cell: thirty right of thirty are no proof of a thousand."""

_LEAST = 2.0
_MODEL_RIDGE, _DOMAIN_RIDGE = 0.5, 4.0


class Reliability(Frozen):
    """Share of right answers of a model in a domain (``*``: all), with a 95 % credible interval."""

    model: str
    domain: str
    mean: float
    low: float
    high: float
    labels: int


def fit(ballots: Ballots) -> tuple[Reliability, ...]:
    """Empirical-Bayes beta-binomial reliabilities of every model × domain, and of every model over all domains.

    The prior of a cell is Beta(κ μ, κ (1 − μ)): μ from an additive logit model of model and domain (every question
    labels all models at once, so a domain's difficulty is known long before a cell is), κ by marginal likelihood. The
    m labels of one question count as its effective votes, since models err together. A label missing because the model
    was not asked is no label; an abstention is a wrong answer.
    """
    right, asked, domains = counts(ballots)
    worth = _worth(ballots)
    prior = _additive(worth * right, worth * asked)
    found = _strength(right, asked, prior)
    wrong = errors(ballots)
    entries: list[Reliability] = []
    for j, model in enumerate(ballots.models):
        total, hits = float((~np.isnan(wrong[:, j])).sum()), float((wrong[:, j] == 0).sum())
        entries.append(_beta(model, POOLED, hits + 1.0, total - hits + 1.0, total))
        for d, domain in enumerate(domains):
            # A prior is worth no more labels than it comes from, those of the cell itself left out.
            strength = min(found, max(total - asked[j, d], _LEAST))
            a = _JEFFREYS + right[j, d] + strength * prior[j, d]
            b = _JEFFREYS + asked[j, d] - right[j, d] + strength * (1 - prior[j, d])
            entries.append(_beta(model, domain, a, b, asked[j, d]))
    return tuple(entries)


def counts(ballots: Ballots) -> tuple[Floats, Floats, tuple[str, ...]]:
    """Right answers and labels, float (m, d), and the d domain names in order; the domain "" is none."""
    domains = tuple(sorted(set(ballots.domains) - {""}))
    wrong = errors(ballots)
    member = np.array(ballots.domains, dtype=str)[:, None] == np.array(domains, dtype=str)[None, :]
    asked = (~np.isnan(wrong)).astype(float).T @ member.astype(float)
    right = (wrong == 0).astype(float).T @ member.astype(float)
    return right, asked, domains


def _worth(ballots: Ballots) -> float:
    """Independent labels in one label of a question that all members answered, in (0, 1]."""
    rho = mean_correlation(ballots)
    size = max(len(ballots.models), 1)
    return effective_votes(size, ASSUMED if rho is None else rho) / size


def _additive(right: Floats, asked: Floats) -> Floats:
    """Float (m, d): right-answer probabilities by an additive logit model with a ridge on the deviations."""
    m, d = right.shape
    # A weak pull of the intercept to even odds keeps all-right and all-wrong tables finite.
    penalty = np.concatenate([[0.1], np.full(m, _MODEL_RIDGE), np.full(d, _DOMAIN_RIDGE)])

    def loss(theta: Floats) -> tuple[float, Floats]:
        logit = theta[0] + theta[1 : 1 + m, None] + theta[None, 1 + m :]
        residual = asked * expit(logit) - right
        value = (asked * np.logaddexp(0, logit) - right * logit).sum() + 0.5 * (penalty * theta**2).sum()
        slope = np.concatenate([[residual.sum()], residual.sum(axis=1), residual.sum(axis=0)])
        return float(value), slope + penalty * theta

    found = minimize(loss, np.zeros(1 + m + d), jac=True, method="L-BFGS-B")
    theta = found.x
    return np.asarray(expit(theta[0] + theta[1 : 1 + m, None] + theta[None, 1 + m :]))


def _strength(right: Floats, asked: Floats, prior: Floats) -> float:
    """The κ under which the cells' counts are most likely (beta-binomial, the binomial coefficient left out)."""
    likelihoods = [
        (betaln(right + k * prior, asked - right + k * (1 - prior)) - betaln(k * prior, k * (1 - prior))).sum()
        for k in _STRENGTHS
    ]
    return float(_STRENGTHS[int(np.argmax(likelihoods))])


def _beta(model: str, domain: str, a: float, b: float, labels: float) -> Reliability:
    low, high = float(betaincinv(a, b, 0.025)), float(betaincinv(a, b, 0.975))
    return Reliability(model=model, domain=domain, mean=float(a / (a + b)), low=low, high=high, labels=int(labels))
