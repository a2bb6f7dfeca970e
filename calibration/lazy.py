"""The lazy panel: whom to ask first, how many at least, and when to stop."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from calibration.ballots import Ballots, NoVote
from calibration.curve import EDGE, logit
from calibration.frozen import Frozen
from calibration.tally import Floats, Ints

MIN_CALLS = 3
"""Fewer first opinions cost risk: two models that agree may be two that err together."""

TARGET_RISK = 0.15
"""Selective risk at which a plan is fitted: the level at which a thousand labels certify most of the traffic."""

_MARGINS = (0.1, 0.15, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0)


class LazyPlan(Frozen):
    """Order and stopping rule of a panel.

    order        model names, the one to ask first first.
    min_calls    members asked before anything may stop.
    margin       in log odds: while the confidence is nearer than this to the bar, another call may change the route.
    accept       the bar for a lazy panel; ``accept_full`` the bar under which the full panel accepts as much. Both as
                 fitted at `TARGET_RISK`, whatever a certificate accepts from: its audits were heard by this bar.
    """

    order: tuple[str, ...]
    min_calls: int
    margin: float
    accept: float
    accept_full: float

    def wants_more(self, confidence: float | None, asked: int) -> bool:
        """Whether another member is worth its price after ``asked`` members were asked.

        Sure enough stops, and so does hopeless; without a confidence there is nothing to stop on.
        """
        if asked >= len(self.order):
            return False
        if asked < self.min_calls or confidence is None:
            return True
        return abs(logit(confidence) - logit(self.accept)) < self.margin


def restricted(plan: LazyPlan, models: Sequence[str]) -> LazyPlan | None:
    """The plan for the panel ``models``; ``None`` where the panel has a member that the plan does not know."""
    if not set(models) <= set(plan.order):
        return None
    order = tuple(name for name in plan.order if name in set(models))
    return plan.model_copy(update={"order": order, "min_calls": min(plan.min_calls, len(order))})


def first_waves(order: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    """The parts of a panel that fitting should have seen alone: the first wave, and half-way from it to all."""
    sizes = {MIN_CALLS, (len(order) + MIN_CALLS) // 2}
    return tuple(tuple(order[:size]) for size in sorted(sizes) if size < len(order))


def hearings(ballots: Ballots, order: Sequence[str]) -> list[Ballots]:
    """The ballots after 1, 2, … m members were heard in ``order``; a member that has no record is passed over."""
    columns = [ballots.models.index(name) for name in order]
    recorded = asked(ballots)
    turn = np.zeros(ballots.votes.shape, dtype=np.int64)
    turn[:, columns] = np.cumsum(recorded[:, columns], axis=1)
    views = [recorded & (turn <= calls) for calls in range(1, len(order) + 1)]
    return [replace(ballots, votes=np.where(view, ballots.votes, int(NoVote.NOT_ASKED))) for view in views]


def asked(ballots: Ballots) -> NDArray[np.bool_]:
    """Bool (n, m): members that were asked and not cancelled."""
    return ~np.isin(ballots.votes, (NoVote.NOT_ASKED, NoVote.CANCELLED))


@dataclass(frozen=True)
class Walks:
    """n ballots heard member by member, by `hearings`.

    confidence, right  float (m, n): after 1, 2, … m calls; a ballot with fewer records stays as it is.
    recorded           int (n,): members with a record.
    """

    confidence: Floats
    right: Floats
    recorded: Ints

    def stop(self, bar: float, margin: float, min_calls: int) -> tuple[Ints, NDArray[np.bool_]]:
        """Calls made, int (n,), and whether the answer was accepted, bool (n,)."""
        m, n = self.confidence.shape
        clipped = np.clip(self.confidence, EDGE, 1.0 - EDGE)
        near = np.abs(np.log(clipped / (1.0 - clipped)) - logit(bar)) < margin
        near[: min_calls - 1] = True
        near[m - 1] = False
        calls = np.minimum(near.argmin(axis=0) + 1, np.maximum(self.recorded, 1))
        return calls, self.confidence[calls - 1, np.arange(n)] >= bar

    def error(self, calls: Ints, accepted: NDArray[np.bool_]) -> float:
        """Error of the accepted answers, 0 where there are none."""
        rows = np.flatnonzero(accepted)
        return float(1.0 - self.right[calls[rows] - 1, rows].mean()) if len(rows) else 0.0


def fit(order: Sequence[str], held_out: Walks, deployed: Walks) -> LazyPlan:
    """Plan for members in ``order`` from walks over labelled ballots.

    The margin is the smallest at which, on ``held_out`` walks and accepting as many answers, the lazy panel errs no
    more than the full panel, up to one standard error. The bars are read off walks by the weights that are
    ``deployed``, since ballots come in few patterns and a bar must not fall between two versions of one.
    """
    min_calls = min(MIN_CALLS, len(order))
    margin = next((margin for margin in _MARGINS if _as_good(held_out, margin, min_calls)), _MARGINS[-1])
    full, bar = _bars(deployed, margin, min_calls)
    return LazyPlan(order=tuple(order), min_calls=min_calls, margin=margin, accept=bar, accept_full=full)


def _as_good(walks: Walks, margin: float, min_calls: int) -> bool:
    m, n = walks.confidence.shape
    full, bar = _bars(walks, margin, min_calls)
    everyone, accepted = walks.stop(full, float("inf"), m)
    calls, early = walks.stop(bar, margin, min_calls)
    # Only answers that one of the two accepts and the other does not, or that changed, add to the noise.
    differ = float(((early != accepted) | (calls != everyone) & early).mean())
    slack = np.sqrt(differ * 0.25 / n) / max(float(accepted.mean()), 1.0 / n)
    return bool(walks.error(calls, early) <= walks.error(everyone, accepted) + slack)


def _bars(walks: Walks, margin: float, min_calls: int) -> tuple[float, float]:
    """The full panel's bar at `TARGET_RISK`, and the lazy panel's at which it accepts no more."""
    full = bar_at_risk(walks.confidence[-1], TARGET_RISK)
    coverage = float((walks.confidence[-1] >= full).mean())
    if coverage == 0.0:
        return 1.0, 1.0
    return full, _bar_at_coverage(walks, coverage, margin, min_calls)


def bar_at_risk(confidence: Floats, risk: float) -> float:
    """The lowest confidence at which the mean of 1 − confidence above it is at most ``risk``; 1 where there is none."""
    ordered = np.sort(confidence)[::-1]
    predicted = np.cumsum(1.0 - ordered) / np.arange(1, len(ordered) + 1)
    within = np.flatnonzero(predicted <= risk)
    return float(ordered[within[-1]]) if len(within) else 1.0


def _bar_at_coverage(walks: Walks, coverage: float, margin: float, min_calls: int) -> float:
    """The bar under which the lazy panel accepts a given share, by bisection (the share falls as the bar rises)."""
    low, high = 0.0, 1.0
    for _ in range(30):
        middle = (low + high) / 2
        if walks.stop(middle, margin, min_calls)[1].mean() > coverage:
            low = middle
        else:
            high = middle
    return high
