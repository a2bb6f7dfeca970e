"""Fit and certify on one file of labelled cases: the walk of a campaign where all labels are known beforehand. Pure.

The part that fits never certifies: rows are divided by hash of their ids. The archive is the other part, in the order
of a hash as in any campaign, and the budget all of its labels.
"""

from __future__ import annotations

from datetime import datetime

import numpy as np

from calibration import campaign, fitting
from calibration.ballots import UNKNOWN, Ballots
from calibration.campaign import Definition, End, Item
from calibration.prediction import predict
from calibration.sampling import drawn
from calibration.snapshot import Snapshot
from calibration.tally import Floats
from calibration.trials import FIT_SHARE


def fit_and_certify(
    ballots: Ballots, *, cls: str, alpha: float, delta: float, fitted_at: datetime
) -> tuple[Snapshot, End] | None:
    """A snapshot fitted on `FIT_SHARE` of the labels, certified on the rest, and how that ended.

    The snapshot carries a certificate of ``cls`` where one was found. It binds no rule beside the snapshot: what the
    service accepts of it may be less. ``None`` where too few labels are left to fit, or none to certify.
    """
    known = ballots.take(ballots.truth != UNKNOWN)
    fits = np.array([drawn("fit or certify", "", name, FIT_SHARE) for name in known.ids], dtype=np.bool_)
    snapshot = fitting.fit(known.take(fits), fitted_at=fitted_at)
    rest = known.take(~fits)
    if snapshot is None or not len(rest):
        return None
    definition, wrong = _archive(snapshot, rest, cls, alpha, delta, fitted_at)
    end = campaign.conclude(definition, wrong, fitted_at)
    if end.certificate is None:
        return snapshot, end
    return snapshot.with_changes(certificates=(end.certificate,)), end


def _archive(
    snapshot: Snapshot, rest: Ballots, cls: str, alpha: float, delta: float, at: datetime
) -> tuple[Definition, Floats]:
    """The campaign over some labelled ballots, and which of its items are wrong, float (items,)."""
    fitted = np.array(["open" if flag else "closed" for flag in rest.open_set])
    rest = rest.take(np.isin(fitted, list(snapshot.aggregators)))
    found = predict(snapshot, rest)
    usable = found.alone & np.isin(np.array(rest.domains), list(snapshot.domains))
    scores = np.where(usable, found.confidence, 0.0)
    items = [
        Item("", name, domain, float(score), int(top))
        for name, domain, score, top in zip(rest.ids, rest.domains, scores, found.top, strict=True)
    ]
    definition = campaign.define(
        items, cls=cls, cycle=1, policy=cls, rule=None, snapshot=snapshot, alpha=alpha, delta=delta, classes=1,
        budget=max(1, len(items)), opened_at=at, horizon_hours=1.0,
    )  # fmt: skip
    error = dict(zip(rest.ids, (1.0 - found.right).tolist(), strict=True))
    return definition, np.array([error[item.request_id] for item in definition.items], dtype=np.float64)
