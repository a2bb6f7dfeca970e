"""A snapshot applied to a whole table of ballots at once: what it answers, how sure it is, and what it would pay."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from calibration.aggregators import majority
from calibration.ballots import Ballots
from calibration.calibrators import values
from calibration.curve import Curve
from calibration.lazy import LazyPlan, Walks, asked, hearings
from calibration.scoring import Leads, leads
from calibration.snapshot import Snapshot
from calibration.tally import Floats


def predict(snapshot: Snapshot, ballots: Ballots) -> Leads:
    """Leaders of n ballots with calibrated confidences, by the same numbers as `Snapshot.posterior` one at a time.

    Where the snapshot has nothing for closed, or for open, questions, it leaves the majority's answer and no more
    confidence in it than in any other candidate: that is what a decision without fitted numbers comes to.
    """
    return by_kind(ballots, lambda part: _predict(snapshot, part))


def by_kind(ballots: Ballots, answer: Callable[[Ballots], Leads]) -> Leads:
    """Closed and open questions answered apart, in the order of the table."""
    n = len(ballots)
    top, confidence, right = np.zeros(n, dtype=np.int64), np.zeros(n), np.zeros(n)
    alone = np.zeros(n, dtype=np.bool_)
    for flag in (False, True):
        rows = np.flatnonzero(ballots.open_set == flag)
        if len(rows):
            part = answer(ballots.take(rows))
            top[rows], confidence[rows], right[rows], alone[rows] = part.top, part.confidence, part.right, part.alone
    return Leads(top, confidence, right, alone)


def walks(snapshot: Snapshot, plan: LazyPlan, ballots: Ballots) -> Walks:
    """n ballots heard member by member in the order of a plan."""
    found = [predict(snapshot, heard) for heard in hearings(ballots, plan.order)]
    confidence = np.stack([one.confidence for one in found])
    return Walks(confidence, np.stack([one.right for one in found]), asked(ballots).sum(axis=1))


def _predict(snapshot: Snapshot, part: Ballots) -> Leads:
    kind = "open" if part.open_set[0] else "closed"
    aggregator = snapshot.aggregators.get(kind)
    if aggregator is None:
        found = leads(majority.fit(part).posterior(part), part)
        even = 1.0 / np.maximum(part.candidates + part.open_set, 1)
        return replace(found, confidence=np.where(found.confidence > 0, even, 0.0))
    found = leads(aggregator.weights.posterior(part), part)
    return replace(found, confidence=calibrated(aggregator.curve, found, part))


def calibrated(curve: Curve, found: Leads, ballots: Ballots) -> Floats:
    """Float (n,): confidences through a curve; no answer stays at 0."""
    return np.where(found.confidence > 0, values(curve, found.confidence, ballots.domains), 0.0)
