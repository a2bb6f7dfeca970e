"""Scores of posteriors against known truth, with ties, abstentions and unanswered questions in the denominator."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibration.ballots import Ballots
from calibration.calibrators import log_losses
from calibration.tally import Floats, Ints

TIE = 1e-9
_BINS = 15


@dataclass(frozen=True)
class Leads:
    """What a method answers on n ballots.

    top         int (n,): leading candidate, the first of those that tie.
    confidence  float (n,): probability of the leading candidate, 0 where there is no answer.
    alone       bool (n,): one candidate leads and somebody chose it: there is an answer that could be accepted.
    right       float (n,): share of the leaders that is right: 1 or 0 for one leader, 1 / k for a tie of k.
    """

    top: Ints
    confidence: Floats
    right: Floats
    alone: NDArray[np.bool_]


def leads(posterior: Floats, ballots: Ballots) -> Leads:
    """Leaders of posteriors (n, w) among the candidates; "none of these" is no answer, it only takes probability.

    Where a candidate that no member chose leads, alone or with others, there is no answer: what nobody said is not
    said, and it scores 0.
    """
    n, width = posterior.shape
    table = np.where(np.arange(width) < ballots.candidates[:, None], posterior, -1.0)
    confidence = table.max(axis=1, initial=0.0)
    tied = table >= confidence[:, None] - TIE
    chosen = np.zeros((n, width), dtype=np.bool_)
    row, column = np.nonzero(ballots.votes >= 0)
    chosen[row, ballots.votes[row, column]] = True
    answered = ~(tied & ~chosen).any(axis=1) & tied.any(axis=1)
    right = ballots.right_at(np.broadcast_to(np.arange(width), (n, width))) & tied & answered[:, None]
    share = right.sum(axis=1) / np.maximum(tied.sum(axis=1), 1)
    alone = answered & (tied.sum(axis=1) == 1)
    return Leads(tied.argmax(axis=1), np.where(answered, confidence, 0.0), share, alone)


def log_loss(found: Leads) -> float:
    """Mean log loss in nats of the confidence that the leading candidate is right."""
    return float(log_losses(found.confidence, found.right).mean())


def brier(found: Leads) -> float:
    """Mean squared difference of confidence and right."""
    return float(((found.confidence - found.right) ** 2).mean())


def ece(confidence: Floats, right: Floats, bins: int = _BINS) -> float:
    """Expected calibration error over bins of equal mass: mean |confidence − share right| weighted by bin size.

    Equal confidences are a group whose rightness is averaged first, so that the order of the rows decides nothing.
    """
    ordered, averaged = _by_confidence(confidence, right)
    gaps = [
        abs(part.mean() - share.mean()) * len(part)
        for part, share in zip(np.array_split(ordered, bins), np.array_split(averaged, bins), strict=True)
        if len(part)
    ]
    return float(sum(gaps) / max(len(ordered), 1))


def aurc(confidence: Floats, right: Floats) -> float:
    """Area under the risk–coverage curve: mean error of the k surest answers over k = 1 … n."""
    return float(risk_coverage(confidence, right).mean())


def risk_coverage(confidence: Floats, right: Floats) -> Floats:
    """Float (n,): error of the k surest answers, k = 1 … n."""
    _, averaged = _by_confidence(confidence, right)
    return np.asarray(np.cumsum(1.0 - averaged) / np.arange(1, len(averaged) + 1))


def reliability_bins(confidence: Floats, right: Floats, bins: int = _BINS) -> list[tuple[float, float, int]]:
    """(mean confidence, share right, count) of equal-mass bins, least sure first."""
    ordered, averaged = _by_confidence(confidence, right)
    parts = zip(np.array_split(ordered[::-1], bins), np.array_split(averaged[::-1], bins), strict=True)
    return [(float(p.mean()), float(r.mean()), len(p)) for p, r in parts if len(p)]


def interval(values: Floats, around: float | None = None) -> tuple[float, float]:
    """95 % interval of the mean of independent questions' values, normal approximation; no width for one value.

    ``around`` is the estimate that it belongs to, where that weighs the questions a little differently.
    """
    centre = float(values.mean()) if around is None else around
    half = 1.96 * float(values.std(ddof=1)) / np.sqrt(len(values)) if len(values) > 1 else 0.0
    return float(centre - half), float(centre + half)


def _by_confidence(confidence: Floats, right: Floats) -> tuple[Floats, Floats]:
    """Confidences from the largest down, and rightness averaged over equal ones."""
    distinct, group, count = np.unique(-confidence, return_inverse=True, return_counts=True)
    mean = np.bincount(group, weights=right, minlength=len(distinct)) / np.maximum(count, 1)
    return np.repeat(-distinct, count), np.repeat(mean, count)
