"""Where a deployment stands, from its recent decisions: cost, calibration, feedback, and reviews a day by α. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from scipy.special import betaincinv

ALPHAS = (0.01, 0.02, 0.05, 0.10, 0.15, 0.20)
BINS = 10
ROUNDING = 1e-12
CERTIFIABLE = frozenset({"none", "stylistic", "reasoning"})
"""Kinds of disagreement whose answers may be accepted at all."""


@dataclass(frozen=True)
class Decided:
    """One first decision. ``right``: whether a blind ground truth says that its leading answer was right.

    ``feedback``: the same by downstream feedback, which never fits anything; ``calls`` members asked; ``audited``:
    accepted, and drawn for an audit before anybody saw it.
    """

    cls: str
    domain: str
    kind: str
    status: str
    decided_at: datetime
    confidence: float | None
    right: bool | None
    feedback: bool | None
    cost: float
    calls: int
    audit_rate: float
    audited: bool


def by_class(decisions: Iterable[Decided]) -> dict[str, list[Decided]]:
    """The decisions of each class, by its name in order."""
    found: dict[str, list[Decided]] = {}
    for one in decisions:
        found.setdefault(one.cls, []).append(one)
    return dict(sorted(found.items()))


def costs(decisions: Sequence[Decided]) -> list[dict[str, Any]]:
    """Cost and calls per decision of each class, in dollars: mean, median and the dearest tenth; share by status."""
    rows = []
    for cls, some in by_class(decisions).items():
        cost = np.array([one.cost for one in some])
        statuses = sorted({one.status for one in some})
        rows.append(
            {
                "class": cls,
                "decisions": len(some),
                "cost_mean": float(cost.mean()),
                "cost_median": float(np.median(cost)),
                "cost_p90": float(np.quantile(cost, 0.9)),
                "calls_mean": float(np.mean([one.calls for one in some])),
                "statuses": {name: sum(one.status == name for one in some) / len(some) for name in statuses},
            }
        )
    return rows


def calibration(decisions: Sequence[Decided]) -> list[dict[str, Any]]:
    """Stated confidence against the share that was right, in bins of equal size of the decisions with a ground truth.

    Each with a 95 % Jeffreys interval of the share.
    """
    known = sorted(
        (one.confidence, bool(one.right)) for one in decisions if one.confidence is not None and one.right is not None
    )
    if not known:
        return []
    parts = np.array_split(np.array(known, dtype=float), max(1, min(BINS, len(known) // 20)))
    return [
        {
            "confidence": float(part[:, 0].mean()),
            "right": float(part[:, 1].mean()),
            "low": _jeffreys(part[:, 1].sum(), len(part), 0.025),
            "high": _jeffreys(part[:, 1].sum(), len(part), 0.975),
            "labels": len(part),
        }
        for part in parts
    ]


def audited(decisions: Sequence[Decided]) -> list[dict[str, Any]]:
    """Audited accepts of each class: mean stated confidence and the share that was right, with its interval.

    Drawn before anybody saw them, so they say of all accepted answers what labels from disagreements cannot.
    """
    rows = []
    for cls, some in by_class(decisions).items():
        known = [one for one in some if one.audited and one.right is not None and one.confidence is not None]
        if known:
            right, n = sum(bool(one.right) for one in known), len(known)
            stated = float(np.mean([one.confidence for one in known if one.confidence is not None]))
            interval = {"low": _jeffreys(right, n, 0.025), "high": _jeffreys(right, n, 0.975)}
            rows.append({"class": cls, "audits": n, "stated": stated, "right": right / n, **interval})
    return rows


def _jeffreys(right: float, labels: int, quantile: float) -> float:
    return float(betaincinv(right + 0.5, labels - right + 0.5, quantile))


def feedback(decisions: Sequence[Decided]) -> list[dict[str, Any]]:
    """How often downstream feedback says that the leading answer was wrong, by class; it fits and certifies nothing."""
    rows = []
    for cls, some in by_class(decisions).items():
        known = [one.feedback for one in some if one.feedback is not None]
        if known:
            rows.append({"class": cls, "outcomes": len(known), "wrong": sum(not right for right in known)})
    return rows


def what_if(decisions: Sequence[Decided], *, least_days: float = 1.0) -> list[dict[str, Any]]:
    """Reviews a day by class and α, if everything above the lowest honest bar were accepted.

    The bar is the lowest confidence above which the confidences themselves promise an error of at most α. It is no
    certificate: it holds as far as the confidences do. Reviews are what lies below the bar, and the audits above it.
    """
    rows = []
    for cls, some in by_class(decisions).items():
        per_day = len(some) / max(least_days, _days(some))
        for alpha in ALPHAS:
            bar, accepted, error = _bar(some, alpha)
            audits = float(np.mean([one.audit_rate for one in some])) * accepted
            rows.append(
                {
                    "class": cls,
                    "alpha": alpha,
                    "threshold": bar,
                    "accepted": accepted,
                    "expected_error": error,
                    "decisions_per_day": per_day,
                    "reviews_per_day": per_day * (1 - accepted + audits),
                }
            )
    return rows


def _days(decisions: Sequence[Decided]) -> float:
    times = [one.decided_at for one in decisions]
    return (max(times) - min(times)) / timedelta(days=1)


def _bar(decisions: Sequence[Decided], alpha: float) -> tuple[float | None, float, float | None]:
    """Lowest bar, share accepted and expected error; ``None``, 0, ``None`` where no bar keeps the promise."""
    usable = [one.confidence for one in decisions if one.confidence is not None and one.kind in CERTIFIABLE]
    if not usable:
        return None, 0.0, None
    confidence = np.sort(np.array(usable))[::-1]
    errors = np.cumsum(1 - confidence) / np.arange(1, len(confidence) + 1)
    # Equal confidences are accepted together or not at all.
    last = np.append(confidence[1:] < confidence[:-1], True)
    kept = np.flatnonzero((errors <= alpha + ROUNDING) & last)
    if not len(kept):
        return None, 0.0, None
    count = int(kept[-1])
    return float(confidence[count]), (count + 1) / len(decisions), float(errors[count])
