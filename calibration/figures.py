"""The series behind the pictures of an evaluation report: plain numbers, drawn elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from calibration import correlation, scoring
from calibration.ballots import Ballots
from calibration.summary import Repeat, named
from calibration.tally import Floats, Tally

_POINTS = 60


@dataclass(frozen=True)
class Figures:
    """reliability   (confidence, share right, count) of equal-mass bins of the consensus, all repeats together.
    risk          method → (coverage, error) points of its risk–coverage curve in the first repeat.
    correlation   float (m, m): correlations of the members' errors, NaN where a pair has none.
    agreement     (share of the opinions that the leader has, questions, accuracy, mean confidence).
    learning      (labels, accuracy, log loss, ECE) of the consensus in the first repeat.
    costs         (calls, coverage, error) of the consensus by members asked, best first, at one bar.
    """

    models: tuple[str, ...]
    reliability: list[tuple[float, float, int]]
    risk: dict[str, list[tuple[float, float]]]
    correlation: Floats
    agreement: list[tuple[float, int, float, float]]
    learning: list[tuple[int, float, float, float]]
    costs: list[tuple[float, float, float]]


def draw(known: Ballots, runs: Sequence[Repeat], learning: list[tuple[int, float, float, float]]) -> Figures:
    """Figures of an evaluation of ``known`` ballots."""
    name, runs = named(runs)
    found = [run.answers[name] for run in runs]
    confidence, right = np.concatenate([f.confidence for f in found]), np.concatenate([f.right for f in found])
    return Figures(
        models=known.models,
        reliability=scoring.reliability_bins(confidence, right),
        risk={method: _risk(one.confidence, one.right) for method, one in runs[0].answers.items()},
        correlation=_correlations(known),
        agreement=_agreement(known, runs[0], name),
        learning=learning,
        costs=runs[0].costs,
    )


def _risk(confidence: Floats, right: Floats) -> list[tuple[float, float]]:
    curve = scoring.risk_coverage(confidence, right)
    n = len(curve)
    at = np.unique(np.linspace(max(n // 50, 1), n, _POINTS).astype(int)) - 1
    return [((i + 1) / n, float(curve[i])) for i in at.tolist()]


def _correlations(known: Ballots) -> Floats:
    wrong = correlation.errors(known)
    size = len(known.models)
    table = np.full((size, size), np.nan)
    for i in range(size):
        for j in range(size):
            rho = correlation.pearson(wrong[:, i], wrong[:, j])
            table[i, j] = np.nan if rho is None else rho
    return table


def _agreement(known: Ballots, run: Repeat, name: str) -> list[tuple[float, int, float, float]]:
    """Accuracy by share of the opinions that the largest cluster has, in tenths from none to all."""
    tally, found = Tally.of(known.take(run.rows)), run.answers[name]
    opinions = tally.count.sum(axis=1)
    share = tally.count.max(axis=1) / np.maximum(opinions, 1)
    tenth = np.round(share * 10).astype(int)
    rows: list[tuple[float, int, float, float]] = []
    for step in sorted(set(tenth.tolist())):
        at = tenth == step
        rows.append((step / 10, int(at.sum()), float(found.right[at].mean()), float(found.confidence[at].mean())))
    return rows
