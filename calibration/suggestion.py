"""Which models to put on a panel: the most independent evidence that a budget buys."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Self

import numpy as np

from calibration import correlation, reliability
from calibration.aggregators.log_odds import REFERENCE_OPTIONS
from calibration.ballots import UNKNOWN, Ballots
from calibration.correlation import POOLED, Correlations
from calibration.curve import logit

_EXHAUSTIVE = 12
"""Models up to which every panel is tried; beyond, the panel grows by the best next member."""

_WORTH = 0.01
"""Share of the evidence that a member has to add to be worth its price."""

Panel = tuple[str, ...]


@dataclass(frozen=True)
class TrackRecord:
    """What labelled ballots say of models: how often each is right, by (model, domain), and how they err together.

    ``options``: candidates that a guess has to choose from, the median of the closed questions.
    """

    models: Panel
    right: Mapping[tuple[str, str], float]
    correlations: Correlations
    labels: int
    options: int

    @classmethod
    def of(cls, ballots: Ballots) -> Self:
        """The record of the labelled rows; models that were never asked on one of them have none."""
        known = ballots.take(ballots.truth != UNKNOWN)
        entries = reliability.fit(known) if len(known) else ()
        seen = tuple(entry.model for entry in entries if entry.domain == POOLED and entry.labels)
        right = {(entry.model, entry.domain): entry.mean for entry in entries}
        closed = known.candidates[~known.open_set]
        options = max(int(np.median(closed)), 2) if len(closed) else REFERENCE_OPTIONS
        return cls(seen, right, correlation.fit(known), len(known), options)

    def log_odds(self, model: str, domain: str) -> float:
        """Log odds of a vote against one of the wrong options; a model no better than a guess tells nothing."""
        mean = self.right.get((model, domain), self.right.get((model, POOLED), 0.0))
        return max(logit(mean) + math.log(self.options - 1), 0.0)


@dataclass(frozen=True)
class Suggestion:
    """A panel with its evidence (see `evidence`), effective votes with their interval, and price per request."""

    models: Panel
    evidence: float
    effective_votes: float
    interval: tuple[float, float]
    price: float


def suggest(
    record: TrackRecord, prices: Mapping[str, float], *, budget: float, size: int | None = None, domain: str = POOLED
) -> Suggestion | None:
    """The panel with most evidence whose calls cost at most ``budget`` together; the cheapest of those nearly as good.

    ``prices``: dollars per call of the models to choose from; models without a record are left out. ``size``: members
    of the panel, ``None`` for any number from two. ``None`` where no panel fits. Ties go to the cheaper, then to the
    alphabetically first panel.
    """
    known = {name: prices[name] for name in sorted(prices) if name in record.models}
    sizes = range(2, len(known) + 1) if size is None else range(max(size, 1), size + 1)
    panels = _every(known, sizes) if len(known) <= _EXHAUSTIVE else _grown(record, known, sizes, budget, domain)
    worth = {panel: evidence(record, panel, domain) for panel in panels if _price(known, panel) <= budget}
    if not worth:
        return None
    most = max(worth.values())
    best = min(
        (panel for panel in worth if worth[panel] >= (1 - _WORTH) * most),
        key=lambda panel: (_price(known, panel), -worth[panel], panel),
    )
    votes = record.correlations.effective_votes(best, domain)
    interval = record.correlations.effective_votes_interval(best, domain)
    return Suggestion(best, worth[best], votes, interval, _price(known, best))


def evidence(record: TrackRecord, models: Sequence[str], domain: str) -> float:
    """dᵀ R⁻¹ d: what the best linear weighing of members with log odds d and error correlations R can tell.

    For independent members it is the sum of their squares; a perfect copy adds nothing. In nats², never negative.
    """
    if not models:
        return 0.0
    odds = np.array([record.log_odds(name, domain) for name in models])
    rho = record.correlations.rho
    table = np.array([
        [1.0 if a == b else min(max(rho(a, b, domain), 0.0), 0.99) for b in models] for a in models
    ])  # fmt: skip
    # Clipped correlations need not be a correlation matrix any more: the least-squares inverse is always defined.
    return max(float(odds @ np.linalg.pinv(table, hermitian=True) @ odds), 0.0)


def _price(prices: Mapping[str, float], panel: Panel) -> float:
    return math.fsum(prices[name] for name in panel)


def _every(prices: Mapping[str, float], sizes: range) -> Iterator[Panel]:
    for size in sizes:
        yield from combinations(prices, size)


def _grown(
    record: TrackRecord, prices: Mapping[str, float], sizes: range, budget: float, domain: str
) -> Iterator[Panel]:
    """Panels of the sizes in question, each the one before with the affordable member that adds most."""
    panel: Panel = ()
    while len(panel) < sizes.stop - 1:
        left = [name for name in prices if name not in panel and _price(prices, (*panel, name)) <= budget]
        if not left:
            return
        panel = tuple(sorted((*panel, max(left, key=lambda name: evidence(record, (*panel, name), domain)))))
        if len(panel) in sizes:
            yield panel
