"""Certification tried on recorded answers: how often it succeeds, what it covers, and whether its bound holds.

Violations are counted against a known truth: audits are drawn with replacement from the finite set of questions that
were not fitted, so that the true error of every region is the set's own. (Scored on a test remainder, noise alone would
turn a violation rate of .01 into .07.)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from calibration import certificates, fitting
from calibration.ballots import Ballots
from calibration.prediction import predict
from calibration.tally import Floats

FIT_SHARE = 0.4
"""Share of the labels that is fitted on; the rest certifies. Anything from .3 to .5 does as well."""

DEFAULT = certificates.METHODS[0]

DRAWS = 5
"""Audit draws per fit."""

_ARCHIVE = 40
"""Archive items per label: the surest 2 % of the archive hold enough of them to begin with."""


@dataclass(frozen=True)
class Population:
    """A finite set of unfitted questions: confidences, float (n,), and wrong, float (n,), 1 for an error."""

    scores: Floats
    wrong: Floats


@dataclass(frozen=True)
class Trial:
    """One campaign: whether it certified, the share of the set that it accepts, and the set's error among those."""

    certified: bool
    coverage: float
    error: float | None


def population(train: Ballots, rest: Ballots) -> Population:
    """What a snapshot fitted on ``train`` would accept of ``rest``. Raises ValueError with too few labels to fit."""
    snapshot = fitting.fit(train, fitted_at=fitting.EPOCH)
    if snapshot is None:
        raise ValueError(f"fitting needs {fitting.MIN_LABELS} labelled questions and a model")
    found = predict(snapshot, rest)
    return Population(np.where(found.alone, found.confidence, 0.0), 1.0 - found.right)


def run(
    population: Population, *, alpha: float, delta: float, budget: int, seed: Sequence[int], method: str = DEFAULT
) -> Trial:
    """One campaign on an archive drawn from the population with replacement, in the order of the draw."""
    rng = np.random.default_rng(list(seed))
    rows = rng.integers(0, len(population.scores), budget * _ARCHIVE)
    scores, wrong = population.scores[rows], population.wrong[rows]
    if method == "split_fixed_sequence":
        some = slice(0, budget)
        threshold = certificates.split_fixed_sequence(scores[some], wrong[some], alpha=alpha, delta=delta)
    else:
        campaign = certificates.plan(scores, alpha=alpha, delta=delta, budget=budget, method=method)
        threshold = certificates.walk(campaign, scores, wrong).threshold
    return outcome(population, threshold)


def outcome(population: Population, threshold: float | None) -> Trial:
    """What accepting from a threshold does to the whole population."""
    if threshold is None:
        return Trial(False, 0.0, None)
    accepted = population.scores >= threshold
    error = float(population.wrong[accepted].mean()) if accepted.any() else None
    return Trial(True, float(accepted.mean()), error)


def summarise(trials: Sequence[Trial], *, alpha: float, delta: float, labels: int, method: str) -> dict[str, Any]:
    """An entry of ``certificates`` in metrics.json."""
    errors = [trial.error for trial in trials if trial.certified and trial.error is not None]
    return {
        "alpha": alpha,
        "delta": delta,
        "n_labels": labels,
        "method": method,
        "feasible_rate": float(np.mean([trial.certified for trial in trials])),
        "coverage": float(np.mean([trial.coverage for trial in trials])),
        "test_error": float(np.mean(errors)) if errors else None,
        "violation_rate": float(np.mean([trial.error is not None and trial.error > alpha for trial in trials])),
        "repeats": len(trials),
    }
