"""Labelled ballots in, snapshot out."""

from __future__ import annotations

from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from calibration import correlation, reliability
from calibration.aggregators import conditional_logit
from calibration.ballots import UNKNOWN, Ballots
from calibration.curve import IDENTITY
from calibration.member_confidence import MemberCurves
from calibration.snapshot import Aggregator, Snapshot, build


def fit(
    ballots: Ballots, *, name: str = "default", parent: str | None = None, fitted_at: datetime, min_labels: int = 30
) -> Snapshot | None:
    """Snapshot of the labelled rows; ``None`` with fewer than ``min_labels`` of them.

    Deterministic in the rows and independent of their order; ``fitted_at`` is given by the caller, never the clock.
    """
    known = ballots.take(ballots.truth != UNKNOWN)
    if len(known) < min_labels or not known.models:
        return None
    known = known.take(_by_id(known))
    aggregators = {}
    for key, is_open in (("closed", False), ("open", True)):
        part = known.take(known.open_set == is_open)
        if len(part) >= min_labels:
            aggregators[key] = _aggregator(part)
    return build(
        fitted_at=fitted_at,
        name=name,
        parent=parent,
        labels=len(known),
        models=known.models,
        families=known.families,
        domains=tuple(sorted(set(known.domains))),
        reliability=reliability.fit(known),
        aggregators=aggregators,
        members=MemberCurves(),
        correlation=correlation.fit(known),
    )


def _by_id(ballots: Ballots) -> NDArray[np.int64]:
    return np.argsort(np.array(ballots.ids, dtype=str), kind="stable")


def _aggregator(ballots: Ballots) -> Aggregator:
    types = ballots.answer_types
    return Aggregator(
        kind="conditional_logit",
        labels=len(ballots),
        weights=conditional_logit.fit(ballots),
        curve=IDENTITY,
        answer_types={name: types.count(name) for name in sorted(set(types))},
        held_out={},
    )
