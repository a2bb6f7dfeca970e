"""What a panel would have done: labelled ballots in, figures out. Deterministic in ballots, sizes and seed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

import numpy as np
from threadpoolctl import threadpool_limits

from calibration import fitting, scoring, summary, trials
from calibration.aggregators import best_single, conditional_logit, dawid_skene, log_odds, majority, most_confident
from calibration.aggregators.vote_weights import VoteWeights
from calibration.ballots import UNKNOWN, Ballots
from calibration.figures import Figures, draw
from calibration.folds import order
from calibration.lazy import LazyPlan, Walks
from calibration.prediction import by_kind, predict, walks
from calibration.scoring import Leads, leads
from calibration.snapshot import Snapshot
from calibration.summary import SELECTED, LazyRun, Repeat
from calibration.tally import Ints

T = TypeVar("T")

Progress = Callable[[int, int], None]
"""Called with steps done and steps in all."""

Fit = Callable[[Ballots], VoteWeights | most_confident.MostConfident]

METHODS: dict[str, Fit] = {
    "majority": majority.fit,
    "most_confident": most_confident.fit,
    "best_single": best_single.fit,
    "dawid_skene": dawid_skene.fit,
    "log_odds": log_odds.fit,
    "conditional_logit_pooled": conditional_logit.fit_pooled,
    "conditional_logit": conditional_logit.fit,
}
"""All that is compared. Dawid–Skene sees no labels, and its numbers are shown as they are."""

_LEARNING = (50, 100, 200, 500, 1000, 2000, 4000)


@dataclass(frozen=True)
class Setup:
    """labels: questions fitted on; repeats: splits by hash of seed and id; prices: dollars per call, 1 where none.

    For each of ``alphas`` a certificate is tried with the same labels, 40 % of them to fit and the rest to certify.
    """

    labels: int
    repeats: int = 8
    seed: int = 0
    alphas: tuple[float, ...] = ()
    delta: float = 0.05
    prices: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Evaluation:
    """``metrics`` is the content of metrics.json, ``figures`` what the report draws besides, ``runs`` all repeats."""

    metrics: dict[str, Any]
    figures: Figures
    runs: list[Repeat]


def evaluate(
    ballots: Ballots,
    *,
    labels: int,
    repeats: int = 8,
    seed: int = 0,
    alphas: Sequence[float] = (),
    prices: Mapping[str, float] | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """The metrics of `examine`."""
    setup = Setup(labels, repeats, seed, tuple(alphas), prices=prices or {})
    return examine(ballots, setup, progress).metrics


def examine(ballots: Ballots, setup: Setup, progress: Progress | None = None) -> Evaluation:
    """Fit on some labelled questions and score on the rest, several times.

    Rows without truth are left out. Means are over the repeats; intervals are 95 % over questions, a question's value
    being its mean over the repeats that tested it, so that repeats make intervals steadier and not falsely narrow.
    Raises ValueError when there are too few labels to fit, or too many to leave anything to score.
    """
    known = ballots.take(ballots.truth != UNKNOWN)
    if not fitting.MIN_LABELS <= setup.labels < len(known):
        raise ValueError(f"labels must be in [{fitting.MIN_LABELS}, {len(known)}), the number of questions with truth")
    if any(not 0 < alpha < 1 for alpha in setup.alphas) or not 0 < setup.delta < 1:
        raise ValueError("alphas and delta must lie between 0 and 1")
    if setup.repeats < 1:
        raise ValueError("repeats must be at least 1")
    steps = _Steps(progress, total=setup.repeats + 2)
    with threadpool_limits(limits=1, user_api="blas"):
        runs = [steps.after(_repeat(known, setup, number)) for number in range(setup.repeats)]
        certificates = steps.after(_certificates(known, setup))
        figures = steps.after(draw(known, runs, _learning(known, setup, runs[0])))
    return Evaluation(_metrics(known, setup, runs) | {"certificates": certificates}, figures, runs)


def split(ballots: Ballots, setup: Setup, number: int) -> tuple[Ints, Ints]:
    """Row numbers to fit on and to score, of one repeat: by hash of seed, repeat and id."""
    rows = order(ballots.ids, f"evaluate:{setup.seed}:{number}")
    return rows[: setup.labels], rows[setup.labels :]


def _metrics(known: Ballots, setup: Setup, runs: list[Repeat]) -> dict[str, Any]:
    return {
        "panel": list(known.models),
        "n_test": len(known) - setup.labels,
        "n_labels": setup.labels,
        "seed": setup.seed,
        "repeats": setup.repeats,
        **summary.summarise(known, runs),
    }


def _certificates(known: Ballots, setup: Setup) -> list[dict[str, Any]]:
    """The ``certificates`` of metrics.json: `trials.DRAWS` campaigns per repeat and α; none where nothing is fitted."""
    found: dict[float, list[trials.Trial]] = {alpha: [] for alpha in setup.alphas}
    size = max(int(setup.labels * trials.FIT_SHARE), fitting.MIN_LABELS)
    for number in range(setup.repeats if setup.alphas else 0):
        rows = order(known.ids, f"evaluate:{setup.seed}:{number}")
        drawn_from = trials.population(known.take(rows[:size]), known.take(rows[size:]))
        for alpha in setup.alphas:
            for turn in range(trials.DRAWS):
                key = (setup.seed, number, turn, round(alpha * 1e6))
                budget = max(setup.labels - size, 1)
                found[alpha].append(trials.run(drawn_from, alpha=alpha, delta=setup.delta, budget=budget, seed=key))
    return [
        trials.summarise(some, alpha=alpha, delta=setup.delta, labels=setup.labels, method=trials.DEFAULT)
        for alpha, some in found.items()
    ]


def _repeat(known: Ballots, setup: Setup, number: int) -> Repeat:
    fit_rows, test_rows = split(known, setup, number)
    train, test = known.take(fit_rows), known.take(test_rows)
    snapshot = _fit(train)
    kinds = {aggregator.kind for aggregator in snapshot.aggregators.values()}
    deployed = kinds.pop() if len(kinds) == 1 else SELECTED
    found = {
        name: predict(snapshot, test) if name == deployed else by_kind(test, partial(_answer, fit, train))
        for name, fit in METHODS.items()
    }
    found.setdefault(SELECTED, found[deployed] if deployed in found else predict(snapshot, test))
    plan, walked = snapshot.plans[0], walks(snapshot, snapshot.plans[0], test)
    return Repeat(test_rows, found, deployed, _lazy(plan, walked, test, setup.prices), _costs(plan, walked))


def _fit(train: Ballots) -> Snapshot:
    snapshot = fitting.fit(train, fitted_at=fitting.EPOCH)
    if snapshot is None:
        raise ValueError(f"fitting needs {fitting.MIN_LABELS} labelled questions and a model")
    return snapshot


def _answer(fit: Fit, train: Ballots, part: Ballots) -> Leads:
    """A method's answers to ``part``, all closed or all open, fitted on questions of that sort."""
    alike = train.take(train.open_set == bool(part.open_set[0]))
    return leads(fit(alike).posterior(part), part)


def _lazy(plan: LazyPlan, walked: Walks, test: Ballots, prices: Mapping[str, float]) -> LazyRun:
    """The lazy panel against its full panel, each under its own bar."""
    calls, accepted = walked.stop(plan.accept, plan.margin, plan.min_calls)
    everyone, full = walked.stop(plan.accept_full, float("inf"), len(plan.order))
    price = [prices.get(name, 1.0) for name in plan.order]
    baseline = max(price[0], 1e-12)
    return LazyRun(
        calls=float(calls.mean()),
        coverage=float(accepted.mean()),
        error=walked.error(calls, accepted),
        full_coverage=float(full.mean()),
        full_error=walked.error(everyone, full),
        cost_multiple=summary.spent(test, plan.order, price, calls) / baseline,
        full_cost_multiple=summary.spent(test, plan.order, price, walked.recorded) / baseline,
    )


def _costs(plan: LazyPlan, walked: Walks) -> list[tuple[float, float, float]]:
    """(calls, coverage, error) when the first 1, 2, … m members are asked of every question."""
    rows: list[tuple[float, float, float]] = []
    for calls in range(1, len(plan.order) + 1):
        made = np.minimum(walked.recorded, calls)
        accepted = walked.confidence[calls - 1] >= plan.accept_full
        rows.append((float(made.mean()), float(accepted.mean()), walked.error(np.maximum(made, 1), accepted)))
    return rows


def _learning(known: Ballots, setup: Setup, first: Repeat) -> list[tuple[int, float, float, float]]:
    """(labels, accuracy, log loss, ECE) on the first repeat's test questions as labels grow."""
    fit_rows, test_rows = split(known, setup, 0)
    test = known.take(test_rows)
    sizes = [size for size in _LEARNING if size < setup.labels]
    found = {size: predict(_fit(known.take(fit_rows[:size])), test) for size in sizes}
    found[setup.labels] = first.answers[SELECTED]
    return [
        (size, float(one.right.mean()), scoring.log_loss(one), scoring.ece(one.confidence, one.right))
        for size, one in found.items()
    ]


class _Steps:
    """Counts the steps that are done for whoever watches."""

    def __init__(self, progress: Progress | None, total: int) -> None:
        self._progress = progress
        self._total = total
        self._done = 0

    def after(self, result: T) -> T:
        """The result of a step that has just ended."""
        self._done += 1
        if self._progress is not None:
            self._progress(self._done, self._total)
        return result
