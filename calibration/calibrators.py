"""Calibrators: raw confidences and what was right, in; a `Curve`, chosen by held-out log loss, out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.special import betaln
from sklearn.isotonic import IsotonicRegression

from calibration.curve import EDGE, IDENTITY, Curve
from calibration.tally import Floats, Ints

_BINS = 10
_STRENGTHS = np.geomspace(2.0, 200.0, 16)
_SLOPE_PRIOR = 4.0
_INTERCEPT_PRIOR = 0.25
_DOMAIN_PRIOR = 8.0
_KNOTS = 64


@dataclass(frozen=True)
class Sample:
    """n confidences p in [0, 1], how right each was (0, 1, or a share on a tie), and its domain."""

    p: Floats
    right: Floats
    domain: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.p)

    def take(self, rows: Ints) -> Sample:
        return Sample(self.p[rows], self.right[rows], tuple(self.domain[i] for i in rows.tolist()))


Fit = Callable[[Sample], Curve]


def log_losses(p: Floats, right: Floats) -> Floats:
    """Float (n,): log loss in nats of probabilities p of being right; ``right`` may be a share."""
    clipped = np.clip(p, EDGE, 1.0 - EDGE)
    return np.asarray(-(right * np.log(clipped) + (1.0 - right) * np.log1p(-clipped)))


def identity(sample: Sample) -> Curve:
    """The confidence as it is, with the number of labels that it was checked on."""
    return IDENTITY.model_copy(update={"labels": len(sample)})


def temperature(sample: Sample) -> Curve:
    """Logit scaling by one number (Guo et al. 2017, "On calibration of modern neural networks", arXiv:1706.04599)."""
    slope, _, _ = _logistic(sample, intercept=False, domains=False)
    return Curve(shape="logit", method="temperature", labels=len(sample), slope=slope)


def platt(sample: Sample) -> Curve:
    """Logistic calibration (Platt 1999) of the logit, with shrunk intercepts per domain."""
    slope, intercept, domains = _logistic(sample, intercept=True, domains=True)
    return Curve(shape="logit", method="platt", labels=len(sample), slope=slope, intercept=intercept, domains=domains)


def isotonic(sample: Sample) -> Curve:
    """Isotonic regression (Zadrozny & Elkan 2002, doi:10.1145/775047.775151); for thousands of labels.

    The ends are pulled in by half a label: a curve never says 0 or 1.
    """
    n = len(sample)
    low, high = 0.5 / (n + 1.0), 1.0 - 0.5 / (n + 1.0)
    model = IsotonicRegression(y_min=low, y_max=high, out_of_bounds="clip").fit(sample.p, sample.right)
    x, y = model.X_thresholds_, model.y_thresholds_
    if len(x) > _KNOTS:
        grid = np.quantile(x, np.linspace(0.0, 1.0, _KNOTS))
        x, y = np.unique(grid), np.interp(np.unique(grid), x, y)
    return Curve(shape="knots", method="isotonic", labels=n, x=tuple(x.tolist()), y=tuple(y.tolist()))


def histogram(sample: Sample) -> Curve:
    """Equal-mass bins (Zadrozny & Elkan 2001), each with one imagined label at the mean."""
    edges, bins = _equal_mass(sample.p)
    right, count = _sums(sample.right, bins, len(edges))
    y = (right + _mean(sample)) / (count + 1.0)
    return Curve(shape="bins", method="histogram", labels=len(sample), x=tuple(edges.tolist()), y=tuple(y.tolist()))


def beta_binomial(sample: Sample) -> Curve:
    """Bins whose rate per domain is shrunk to the bin's own by an empirical-Bayes beta prior."""
    edges, bins = _equal_mass(sample.p)
    right, count = _sums(sample.right, bins, len(edges))
    mean = (right + _mean(sample)) / (count + 1.0)
    names = sorted(set(sample.domain) - {""})
    where = np.searchsorted(names, sample.domain) if names else np.zeros(len(sample), dtype=np.int64)
    cells = [_sums(sample.right[where == i], bins[where == i], len(edges)) for i in range(len(names))]
    strength = _strength(np.array([r for r, _ in cells]), np.array([c for _, c in cells]), mean)
    domain_y = {
        name: tuple(((hits + strength * mean) / (size + strength)).tolist())
        for name, (hits, size) in zip(names, cells, strict=True)
    }
    return Curve(
        shape="bins", method="beta_binomial", labels=len(sample), x=tuple(edges.tolist()), y=tuple(mean.tolist()),
        domain_y=domain_y,
    )  # fmt: skip


CALIBRATORS: tuple[tuple[Fit, int], ...] = (
    (temperature, 30),
    (platt, 60),
    (histogram, 300),
    (beta_binomial, 300),
    (isotonic, 1000),
)
"""From plain to rich, after the identity, each with the labels below which it is not tried: it would only fit noise."""


def choose(sample: Sample, fold: Ints, plainest: Fit = identity) -> Curve:
    """The calibrator of least held-out log loss, refitted on the whole sample.

    ``fold`` int (n,) says which rows are held out together. A richer calibrator replaces a plainer one only when its
    held-out loss is lower by more than one standard error of the difference.
    """
    best_fit = plainest
    best = held_out(best_fit, sample, fold)
    for fit, least in CALIBRATORS:
        if len(sample) < least or len(np.unique(fold)) < 2:
            continue
        losses = held_out(fit, sample, fold)
        gain = best - losses
        if gain.mean() > gain.std() / np.sqrt(len(gain)):
            best_fit, best = fit, losses
    return best_fit(sample)


def held_out(fit: Fit, sample: Sample, fold: Ints) -> Floats:
    """Float (n,): log loss of each row under the curve fitted without its fold."""
    losses = np.zeros(len(sample))
    for part in np.unique(fold):
        rows = np.flatnonzero(fold == part)
        rest = np.flatnonzero(fold != part)
        curve = fit(sample.take(rest)) if len(rest) else IDENTITY
        held = sample.take(rows)
        losses[rows] = log_losses(values(curve, held.p, held.domain), held.right)
    return losses


def values(curve: Curve, p: Floats, domain: tuple[str, ...]) -> Floats:
    """Float (n,): `Curve.value` of each row."""
    if curve.shape == "logit":
        clipped = np.clip(p, EDGE, 1.0 - EDGE)
        shift = np.array([curve.domains.get(name, 0.0) for name in domain]) if curve.domains else 0.0
        score = curve.slope * np.log(clipped / (1.0 - clipped)) + curve.intercept + shift
        edge = 1.0 / (curve.labels + 2.0) if curve.labels else 0.0
        return np.asarray(np.clip(1.0 / (1.0 + np.exp(-np.clip(score, -700.0, 700.0))), edge, 1.0 - edge))
    edge = 1.0 / (curve.labels + 2.0) if curve.labels else 0.0
    return np.asarray(np.clip(_by_table(curve, p, domain), edge, 1.0 - edge))


def _by_table(curve: Curve, p: Floats, domain: tuple[str, ...]) -> Floats:
    """Float (n,): what knots or bins say before they are kept away from 0 and 1."""
    if curve.shape == "knots":
        return np.interp(p, curve.x, curve.y)
    bins = np.maximum(np.searchsorted(curve.x, p, side="right") - 1, 0)
    names = sorted(curve.domain_y)
    row = {name: number for number, name in enumerate(names, start=1)}
    table = np.array([curve.y, *(curve.domain_y[name] for name in names)])
    return np.asarray(table[[row.get(name, 0) for name in domain], bins])


def _logistic(sample: Sample, *, intercept: bool, domains: bool) -> tuple[float, float, dict[str, float]]:
    """Ridge logistic regression on the logit: slope (prior mean 1), intercept and domain intercepts (prior mean 0)."""
    names = sorted(set(sample.domain) - {""}) if domains and len(set(sample.domain)) > 1 else []
    clipped = np.clip(sample.p, EDGE, 1.0 - EDGE)
    x = np.log(clipped / (1.0 - clipped))
    member = (np.array(sample.domain, dtype=str)[:, None] == np.array(names, dtype=str)[None, :]).astype(float)
    features = np.column_stack([x, np.full(len(x), float(intercept)), member])
    penalty = np.array([_SLOPE_PRIOR, _INTERCEPT_PRIOR, *([_DOMAIN_PRIOR] * len(names))])

    def loss(theta: Floats) -> tuple[float, Floats]:
        score = x + features @ theta
        p = 1.0 / (1.0 + np.exp(-np.clip(score, -500.0, 500.0)))
        value = np.logaddexp(0.0, score).sum() - sample.right @ score + 0.5 * (penalty * theta**2).sum()
        return float(value), features.T @ (p - sample.right) + penalty * theta

    found = minimize(loss, np.zeros(len(penalty)), jac=True, method="L-BFGS-B").x.tolist()
    return 1.0 + found[0], found[1] if intercept else 0.0, dict(zip(names, found[2:], strict=True))


def _equal_mass(p: Floats) -> tuple[Floats, Ints]:
    """Lower edges of at most `_BINS` bins of equal mass (the first is 0), and the bin of each confidence."""
    edges = np.unique(np.concatenate([[0.0], np.quantile(p, np.arange(1, _BINS) / _BINS)]))
    return edges, np.searchsorted(edges, p, side="right") - 1


def _mean(sample: Sample) -> float:
    """Share right with one imagined label of each sort, so that nothing is 0 or 1."""
    return float((sample.right.sum() + 1.0) / (len(sample) + 2.0))


def _sums(right: Floats, bins: Ints, size: int) -> tuple[Floats, Floats]:
    totals = np.asarray(np.bincount(bins, weights=right, minlength=size), dtype=np.float64)
    return totals, np.bincount(bins, minlength=size).astype(np.float64)


def _strength(right: Floats, count: Floats, mean: Floats) -> float:
    """Beta-binomial marginal likelihood over (domains, bins), with the bins' means as prior means."""

    def likelihood(k: float) -> float:
        posterior = betaln(right + k * mean, count - right + k * (1 - mean))
        return float((posterior - betaln(k * mean, k * (1 - mean))).sum())

    return float(max(_STRENGTHS, key=likelihood))
