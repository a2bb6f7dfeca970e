"""Repeats of an evaluation condensed to means and intervals."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from calibration import correlation, scoring
from calibration.ballots import Ballots
from calibration.lazy import asked
from calibration.scoring import Leads
from calibration.tally import Floats, Ints

SELECTED = "selected"
"""What a snapshot deploys: the method it chose, with its calibrator."""


@dataclass(frozen=True)
class LazyRun:
    """One repeat of the lazy panel: calls per question, share and error of what it accepts, and the full panel's.

    ``cost_multiple`` is its price over that of the best single member for every question, ``full_cost_multiple`` that
    of asking everybody.
    """

    calls: float
    coverage: float
    error: float
    full_coverage: float
    full_error: float
    cost_multiple: float
    full_cost_multiple: float


@dataclass(frozen=True)
class Repeat:
    """One split: the rows that were scored, each method's answers to them, and the method the snapshot deployed."""

    rows: Ints
    answers: dict[str, Leads]
    deployed: str
    lazy: LazyRun
    costs: list[tuple[float, float, float]]
    """(calls, coverage, error) under the full panel's bar when the first 1, 2, … m members are asked of everything."""


def summarise(known: Ballots, runs: Sequence[Repeat]) -> dict[str, Any]:
    """The parts of metrics.json that rest on ``runs``, which were drawn from the ``known`` ballots."""
    name, runs = named(runs)
    methods = {method: _scores(known, runs, method) for method in runs[0].answers}
    return {
        "methods": methods,
        "consensus": name,
        "paired": {
            "over_best_single": _paired(known, runs, name, "best_single"),
            "over_majority": _paired(known, runs, name, "majority"),
        },
        "effective_votes": effective_votes(known),
        "lazy": _lazy(known, runs),
        "by_domain": _by_domain(known, runs, name),
        "cost_multiple": _mean(run.lazy.cost_multiple for run in runs),
    }


def named(runs: Sequence[Repeat]) -> tuple[str, list[Repeat]]:
    """The name of the consensus, and the runs with its answers under that name.

    It goes by the method that was deployed where all repeats deployed the same one, else it is `SELECTED`.
    """
    deployed = {run.deployed for run in runs}
    name = deployed.pop() if len(deployed) == 1 and next(iter(deployed)) in runs[0].answers else SELECTED
    return name, [_under(run, name) for run in runs]


def effective_votes(known: Ballots) -> float | None:
    """Effective votes of the panel by the mean correlation of its members' errors, ``None`` where there is none."""
    rho = correlation.mean_correlation(known)
    return None if rho is None else correlation.effective_votes(len(known.models), rho)


def spent(ballots: Ballots, order: Sequence[str], prices: Sequence[float], calls: Ints) -> float:
    """Mean price of the first ``calls`` (n,) recorded members of each ballot, in ``order``."""
    recorded = asked(ballots)[:, [ballots.models.index(name) for name in order]]
    made = recorded & (np.cumsum(recorded, axis=1) <= calls[:, None])
    return float((made @ np.asarray(prices)).mean())


def per_question(size: int, runs: Sequence[Repeat], value: Callable[[Repeat], Floats]) -> Floats:
    """Float (q,): mean over the runs that scored it of each of the q questions that any run did, in order of rows."""
    total, count = np.zeros(size), np.zeros(size)
    for run in runs:
        np.add.at(total, run.rows, value(run))
        np.add.at(count, run.rows, 1.0)
    return np.asarray(total[count > 0] / count[count > 0])


def scored(size: int, runs: Sequence[Repeat]) -> Ints:
    """Row numbers of the questions that any run scored, in order: the rows of `per_question`."""
    return np.unique(np.concatenate([run.rows for run in runs])) if runs else np.arange(size)


def _under(run: Repeat, name: str) -> Repeat:
    answers = {method: found for method, found in run.answers.items() if method not in (SELECTED, name)}
    return Repeat(run.rows, {**answers, name: run.answers[SELECTED]}, run.deployed, run.lazy, run.costs)


def _scores(known: Ballots, runs: Sequence[Repeat], method: str) -> dict[str, Any]:
    found = [run.answers[method] for run in runs]
    accuracy = _mean(one.right.mean() for one in found)
    return {
        "accuracy": accuracy,
        "accuracy_ci": list(scoring.interval(_right(known, runs, method), around=accuracy)),
        "log_loss": _mean(map(scoring.log_loss, found)),
        "brier": _mean(map(scoring.brier, found)),
        "ece": _mean(scoring.ece(one.confidence, one.right) for one in found),
        "aurc": _mean(scoring.aurc(one.confidence, one.right) for one in found),
    }


def _right(known: Ballots, runs: Sequence[Repeat], method: str) -> Floats:
    return per_question(len(known), runs, lambda run: run.answers[method].right)


def _paired(known: Ballots, runs: Sequence[Repeat], name: str, other: str) -> dict[str, Any]:
    """Mean difference in accuracy with its interval over questions."""
    gain = per_question(len(known), runs, lambda run: run.answers[name].right - run.answers[other].right)
    mean = _mean((run.answers[name].right - run.answers[other].right).mean() for run in runs)
    return {"mean": mean, "ci": list(scoring.interval(gain, around=mean))}


def _lazy(known: Ballots, runs: Sequence[Repeat]) -> dict[str, Any]:
    return {
        "panel_size": len(known.models),
        "calls_mean": _mean(run.lazy.calls for run in runs),
        "coverage": _mean(run.lazy.coverage for run in runs),
        "error": _mean(run.lazy.error for run in runs),
        "full_coverage": _mean(run.lazy.full_coverage for run in runs),
        "full_error": _mean(run.lazy.full_error for run in runs),
    }


def _by_domain(known: Ballots, runs: Sequence[Repeat], name: str) -> dict[str, Any]:
    domain = np.array(known.domains)[scored(len(known), runs)]
    right = {method: _right(known, runs, method) for method in (name, "best_single", "majority")}
    sure = per_question(len(known), runs, lambda run: run.answers[name].confidence)
    table: dict[str, Any] = {}
    for one in sorted(set(domain.tolist())):
        rows = domain == one
        table[one] = {
            "n": int(rows.sum()),
            "accuracy": float(right[name][rows].mean()),
            "accuracy_ci": list(scoring.interval(right[name][rows])),
            "confidence": float(sure[rows].mean()),
            "best_single": float(right["best_single"][rows].mean()),
            "majority": float(right["majority"][rows].mean()),
        }
    return table


def _mean(values: Any) -> float:
    return float(np.mean([float(value) for value in values]))
