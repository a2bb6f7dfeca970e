"""One refit: labelled ballots in, a candidate snapshot out, and whether it may replace the one in use.

A fifth of all requests, drawn by hash of the id, is never fitted. On it candidate and current snapshot are compared, so
neither has seen what it is judged by.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from calibration.ballots import UNKNOWN, Ballots
from calibration.fitting import fit
from calibration.sampling import drawn
from calibration.snapshot import Snapshot

HELD_OUT = 0.2
"""Share of requests that no refit may use."""

COMPARED = 5_000
"""Held-out ballots that are scored at most: enough for a log loss to ± .01, in seconds."""

BINS = 15
MIN_PROBABILITY = 1e-12


@dataclass(frozen=True)
class Scores:
    """How well one snapshot predicts ``n`` held-out ballots.

    losses  float (n,): −ln of the probability given to the truth, in nats; of an unfitted answer type ln(candidates).
    ece     expected calibration error of its confidences in [0, 1]; 0 where it states none.
    stated  ballots for which it states a confidence.
    """

    losses: NDArray[np.float64]
    ece: float
    stated: int


@dataclass(frozen=True)
class Comparison:
    """Candidate against current on the same ballots; ``reasons`` is empty when the candidate is no worse."""

    rows: int
    log_loss: float
    log_loss_current: float
    ece: float
    ece_current: float
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Refit:
    """A candidate and what was found. ``comparison`` is ``None`` where there was nothing to compare with."""

    candidate: Snapshot
    comparison: Comparison | None

    @property
    def accepted(self) -> bool:
        """Whether the candidate may be published."""
        return self.comparison is None or not self.comparison.reasons


def refit(
    ballots: Ballots, *, current: Snapshot | None, fitted_at: datetime, min_labels: int, name: str = "default"
) -> Refit | None:
    """Fit a candidate on all but the held-out fifth; ``None`` with fewer than ``min_labels`` labels in all.

    The candidate names no parent: its version is then a function of the labels alone, and a replay of the topics finds
    the same one. The order of publication is the lineage.
    """
    known = ballots.take(ballots.truth != UNKNOWN)
    if len(known) < min_labels:
        return None
    held = held_out(known)
    share = max(1, math.ceil(min_labels * (1 - HELD_OUT) ** 2))  # a small draw may fall below its expectation
    candidate = fit(known.take(~held), name=name, parent=None, fitted_at=fitted_at, min_labels=share)
    if candidate is None:
        return None
    judged = _sample(known.take(held))
    if current is None or not len(judged):
        return Refit(candidate, None)
    return Refit(candidate, compare(candidate, current, judged))


def held_out(ballots: Ballots) -> NDArray[np.bool_]:
    """bool (n,): the ballots that are never fitted, the same ones in every refit."""
    return np.array([drawn("refit", "", name, HELD_OUT) for name in ballots.ids], dtype=np.bool_)


def _sample(ballots: Ballots) -> Ballots:
    """About `COMPARED` of the ballots, drawn by hash: the first ones by id would all be of one tenant."""
    rate = COMPARED / max(1, len(ballots))
    return ballots.take(np.array([drawn("compare", "", name, rate) for name in ballots.ids], dtype=np.bool_))


def compare(candidate: Snapshot, current: Snapshot, ballots: Ballots) -> Comparison:
    """Whether the candidate's log loss and calibration error are no worse, beyond what n ≥ 1 ballots can tell apart.

    The log loss may be worse by one standard error of the paired difference, the calibration error by the standard
    error of a proportion at this n (0.5 / √n); otherwise half of all harmless refits would be refused by chance.
    """
    new, old = score(candidate, ballots), score(current, ballots)
    difference = new.losses - old.losses
    n = len(ballots)
    spread = float(difference.std(ddof=1)) / math.sqrt(n) if n > 1 else 0.0
    reasons = []
    if difference.mean() > spread:
        reasons.append("log_loss_worse")
    if new.ece > old.ece + 0.5 / math.sqrt(n):
        reasons.append("calibration_worse")
    if new.stated < old.stated:
        reasons.append("states_fewer_confidences")
    return Comparison(n, float(new.losses.mean()), float(old.losses.mean()), new.ece, old.ece, tuple(reasons))


def score(snapshot: Snapshot, ballots: Ballots) -> Scores:
    """Score a snapshot on labelled ballots. A probability that is not finite counts as none given to the truth."""
    losses, stated, right = [], [], []
    for row in range(len(ballots)):
        posterior = snapshot.posterior(
            ballots.models,
            [int(vote) for vote in ballots.votes[row]],
            int(ballots.candidates[row]),
            domain=ballots.domains[row],
            answer_type=ballots.answer_types[row],
            open_set=bool(ballots.open_set[row]),
        )
        truth = int(ballots.truth[row])
        if posterior is None:
            losses.append(math.log(max(1, int(ballots.candidates[row]) + int(ballots.open_set[row]))))
            continue
        losses.append(_loss(posterior.probabilities, truth, bool(ballots.open_set[row])))
        if posterior.confidence is not None:
            stated.append(posterior.confidence)
            right.append(posterior.top == _column(truth, len(posterior.probabilities), bool(ballots.open_set[row])))
    return Scores(np.array(losses), _ece(np.array(stated), np.array(right, dtype=float)), len(stated))


def _column(truth: int, columns: int, open_set: bool) -> int | None:
    """Column of the truth in a posterior; of a closed question that nothing answers, none."""
    if truth >= 0:
        return truth
    return columns - 1 if open_set else None


def _loss(probabilities: NDArray[np.float64], truth: int, open_set: bool) -> float:
    column = _column(truth, len(probabilities), open_set)
    given = float(probabilities[column]) if column is not None else 0.0
    return -math.log(max(given, MIN_PROBABILITY)) if math.isfinite(given) else -math.log(MIN_PROBABILITY)


def _ece(confidence: NDArray[np.float64], right: NDArray[np.float64]) -> float:
    """Mean gap of confidence and accuracy over bins of equal mass, at least 20 ballots each."""
    n = len(confidence)
    if n == 0:
        return 0.0
    bins = np.array_split(np.argsort(confidence, kind="stable"), max(1, min(BINS, n // 20)))
    return float(sum(abs(confidence[rows].mean() - right[rows].mean()) * len(rows) for rows in bins) / n)
