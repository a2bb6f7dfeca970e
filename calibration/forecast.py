"""What to expect of a panel before it is deployed: accuracy, price, and how much of the traffic people would see."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from calibration import lazy, summary
from calibration.evaluate import Evaluation
from calibration.summary import Repeat
from calibration.tally import Floats

BASELINES = ("majority", "most_confident", "best_single")


@dataclass(frozen=True)
class Traffic:
    """Requests a day, the error that is tolerated among accepted answers, and the share that is audited anyway."""

    per_day: float
    alpha: float
    audit_rate: float


@dataclass(frozen=True)
class Forecast:
    """One method on questions that it was not fitted on.

    accuracy         share right, with its 95 % interval ``accuracy_ci``.
    accepted         share of the traffic whose confidences together promise an error of at most α; ``error`` what the
                     accepted answers really err, ``None`` where there are none.
    cost_multiple    price of its calls over that of the best single member, a call costing 1 where no price is known.
    reviews_per_day  what is not accepted, or audited, goes to arbiters or people.
    """

    method: str
    accuracy: float
    accuracy_ci: tuple[float, float]
    accepted: float
    error: float | None
    cost_multiple: float
    reviews_per_day: float


def forecast(evaluation: Evaluation, traffic: Traffic) -> list[Forecast]:
    """The consensus, asked lazily, and after it the baselines; means over the repeats of the evaluation."""
    name, runs = summary.named(evaluation.runs)
    everybody = float(np.mean([run.lazy.full_cost_multiple for run in runs]))
    costs = {"best_single": 1.0, name: evaluation.metrics["cost_multiple"]}
    return [
        _forecast(method, evaluation, runs, traffic, costs.get(method, everybody))
        for method in (name, *(one for one in BASELINES if one != name))
    ]


def _forecast(
    method: str, evaluation: Evaluation, runs: Sequence[Repeat], traffic: Traffic, cost_multiple: float
) -> Forecast:
    found = [run.answers[method] for run in runs]
    accepted = [_accepted(one.confidence, traffic.alpha) for one in found]
    share = float(np.mean([some.mean() for some in accepted]))
    wrong = [1.0 - one.right[some].mean() for one, some in zip(found, accepted, strict=True) if some.any()]
    low, high = evaluation.metrics["methods"][method]["accuracy_ci"]
    return Forecast(
        method=method,
        accuracy=evaluation.metrics["methods"][method]["accuracy"],
        accuracy_ci=(low, high),
        accepted=share,
        error=float(np.mean(wrong)) if wrong else None,
        cost_multiple=cost_multiple,
        reviews_per_day=traffic.per_day * (1.0 - share + traffic.audit_rate * share),
    )


def _accepted(confidence: Floats, alpha: float) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Bool (n,): the surest answers whose mean confidence is at least 1 − α. It looks at no label."""
    return np.asarray(confidence >= lazy.bar_at_risk(confidence, alpha), dtype=np.bool_)
