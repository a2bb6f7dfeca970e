"""Which models to put on a panel: the most independent evidence that a budget buys."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from calibration.aggregators.log_odds import REFERENCE_OPTIONS
from calibration.correlation import POOLED
from calibration.curve import logit
from calibration.snapshot import Snapshot

_EXHAUSTIVE = 16
"""Models up to which every panel is tried; beyond, the panel grows by the best next member."""


@dataclass(frozen=True)
class Suggestion:
    """A panel with its evidence (see `evidence`), its effective votes, and its price per request in dollars."""

    models: tuple[str, ...]
    evidence: float
    effective_votes: float
    price: float


def suggest(
    snapshot: Snapshot, prices: Mapping[str, float], *, size: int, budget: float, domain: str = POOLED
) -> Suggestion | None:
    """The panel of ``size`` models with most evidence whose calls cost at most ``budget`` together.

    ``prices``: dollars per call of the models to choose from; models unknown to the snapshot are left out. ``None``
    where no panel fits. Ties go to the cheaper, then to the alphabetically first panel.
    """
    known = {name: prices[name] for name in sorted(prices) if name in snapshot.models}
    if len(known) <= _EXHAUSTIVE:
        panels = list(combinations(known, size))
    else:
        panels = _greedy(snapshot, known, size, budget, domain)
    affordable = [panel for panel in panels if sum(prices[name] for name in panel) <= budget]
    if not affordable or size < 1:
        return None
    best = max(
        affordable,
        key=lambda panel: (evidence(snapshot, panel, domain), -sum(prices[name] for name in panel)),
    )
    price = sum(prices[name] for name in best)
    return Suggestion(best, evidence(snapshot, best, domain), snapshot.effective_votes(best, domain) or 0.0, price)


def evidence(snapshot: Snapshot, models: Sequence[str], domain: str) -> float:
    """dᵀ R⁻¹ d: what the best linear weighing of members with log odds d and error correlations R can tell.

    For independent members it is the sum of their squares; a perfect copy adds nothing. In nats², never negative.
    """
    if not models:
        return 0.0
    odds = np.array([_log_odds(snapshot, name, domain) for name in models])
    table = np.array([
        [1.0 if a == b else min(max(snapshot.correlation.rho(a, b, domain), 0.0), 0.99) for b in models] for a in models
    ])  # fmt: skip
    # Clipped correlations need not be a correlation matrix any more: the least-squares inverse is always defined.
    return max(float(odds @ np.linalg.pinv(table, hermitian=True) @ odds), 0.0)


def _log_odds(snapshot: Snapshot, model: str, domain: str) -> float:
    """Log odds of a vote against one of nine wrong options; a model no better than a guess tells nothing."""
    entry = snapshot.reliability_of(model, domain)
    return 0.0 if entry is None else max(logit(entry.mean) + math.log(REFERENCE_OPTIONS - 1), 0.0)


def _greedy(
    snapshot: Snapshot, prices: Mapping[str, float], size: int, budget: float, domain: str
) -> list[tuple[str, ...]]:
    panel: tuple[str, ...] = ()
    while len(panel) < size:
        spent = sum(prices[name] for name in panel)
        left = [name for name in prices if name not in panel and spent + prices[name] <= budget]
        if not left:
            return []
        panel = (*panel, max(left, key=lambda name: evidence(snapshot, (*panel, name), domain)))
    return [tuple(sorted(panel))]
