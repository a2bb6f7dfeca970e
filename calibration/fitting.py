"""Labelled ballots in, snapshot out: every choice is made by held-out log loss on the labels themselves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np
from threadpoolctl import threadpool_limits

from calibration import correlation, lazy, member_confidence, reliability
from calibration.aggregators import best_single, conditional_logit, log_odds
from calibration.aggregators.vote_weights import VoteWeights
from calibration.ballots import UNKNOWN, Ballots
from calibration.calibrators import Sample, choose
from calibration.curve import Curve
from calibration.folds import folds
from calibration.folds import order as hashed_order
from calibration.lazy import LazyPlan, Walks
from calibration.prediction import calibrated
from calibration.scoring import leads
from calibration.snapshot import Aggregator, Snapshot, build
from calibration.tally import Floats, Ints

MIN_LABELS = 30
"""Labelled closed, or open, questions below which nothing is fitted."""

MIN_DOMAIN = 10
"""Labels below which a domain stays unknown: nothing is said of it, and nothing is certified in it."""

MAX_DOMAINS = 256
"""Domains kept at most, those with most labels: their names come with requests, so their number needs a bound."""

ENOUGH = 40_000
"""Ballots that weights are fitted to at most, drawn by hash of the id; more change the third digit of nothing."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
"""``fitted_at`` of snapshots that are measured and thrown away."""

_FOLDS = 3

Method = Callable[[Ballots, Sequence[Sequence[str]]], VoteWeights]

METHODS: dict[str, Method] = {
    "log_odds": lambda ballots, _waves: log_odds.fit(ballots),
    "conditional_logit_pooled": conditional_logit.fit_pooled,
    "conditional_logit": lambda ballots, waves: conditional_logit.fit(ballots, partial=waves),
}
"""What may be deployed, from plain to rich. The plainest of those that are equally good is taken."""


def fit(
    ballots: Ballots,
    *,
    name: str = "default",
    parent: str | None = None,
    fitted_at: datetime,
    min_labels: int = MIN_LABELS,
) -> Snapshot | None:
    """Snapshot of the labelled rows; ``None`` with fewer than ``min_labels`` of them or without models.

    Closed and open questions are fitted apart, each where it has ``min_labels``. Deterministic in the rows and
    independent of their order; ``fitted_at`` is given by the caller, never the clock.
    """
    known = ballots.take(ballots.truth != UNKNOWN)
    if len(known) < min_labels or not known.models:
        return None
    known = _without_rare_domains(known.take(np.argsort(np.array(known.ids, dtype=str), kind="stable")))
    # The arrays are small: threads of BLAS would only wait for one another, on a shared machine three times as long.
    with threadpool_limits(limits=1, user_api="blas"):
        return _snapshot(known, name, parent, fitted_at, min_labels)


def _snapshot(known: Ballots, name: str, parent: str | None, fitted_at: datetime, min_labels: int) -> Snapshot:
    order = best_first(known)
    parts = {key: known.take(known.open_set == flag) for key, flag in (("closed", False), ("open", True))}
    fitted = {key: _aggregator(part, order) for key, part in parts.items() if len(part) >= min_labels}
    return build(
        fitted_at=fitted_at,
        name=name,
        parent=parent,
        labels=len(known),
        models=known.models,
        families=known.families,
        domains=tuple(sorted(set(known.domains) - {""})),
        reliability=reliability.fit(known),
        aggregators={key: aggregator for key, (aggregator, _) in fitted.items()},
        members=member_confidence.fit(known),
        correlation=correlation.fit(known),
        plans=tuple(plan for _, plan in list(fitted.values())[:1]),
    )


def _without_rare_domains(ballots: Ballots) -> Ballots:
    """The ballots with the domains of few labels renamed to "", none in particular."""
    ranked = sorted(Counter(ballots.domains).items(), key=lambda item: (-item[1], item[0]))[:MAX_DOMAINS]
    kept = {name for name, count in ranked if count >= MIN_DOMAIN}
    return replace(ballots, domains=tuple(name if name in kept else "" for name in ballots.domains))


def best_first(ballots: Ballots) -> tuple[str, ...]:
    """Model names, the most often right first; equals in column order."""
    ranked = np.argsort(-best_single.accuracies(ballots), kind="stable")
    return tuple(ballots.models[i] for i in ranked.tolist())


@dataclass(frozen=True)
class _HeldOut:
    """A method's weights per fold and its posterior (n, w) on the rows that were held out from them."""

    weights: tuple[VoteWeights, ...]
    posterior: Floats
    losses: Floats


def _aggregator(ballots: Ballots, order: tuple[str, ...]) -> tuple[Aggregator, LazyPlan]:
    """The method of least held-out log loss, refitted on all rows, its calibrator and its lazy plan."""
    labels = len(ballots)
    if len(ballots) > ENOUGH:
        ballots = ballots.take(hashed_order(ballots.ids, "enough")[:ENOUGH])
    waves = lazy.first_waves(order)
    fold = folds(ballots.ids, _FOLDS)
    tried = {kind: _held_out(method, ballots, waves, fold) for kind, method in METHODS.items()}
    kind = min(tried, key=lambda name: tried[name].losses.mean())
    held = tried[kind]
    found = leads(held.posterior, ballots)
    answered = np.flatnonzero(found.confidence > 0)
    sample = Sample(found.confidence, found.right, ballots.domains).take(answered)
    curve = choose(sample, fold[answered]).model_copy(update={"labels": labels})
    weights = METHODS[kind](ballots, waves)
    types = ballots.answer_types
    aggregator = Aggregator(
        kind=kind,
        labels=labels,
        weights=weights,
        curve=curve,
        answer_types={name: types.count(name) for name in sorted(set(types))},
        held_out={name: float(one.losses.mean()) for name, one in tried.items()},
    )
    unseen = _walks(held.weights, fold, curve, ballots, order)
    deployed = _walks((weights,), np.zeros_like(fold), curve, ballots, order)
    return aggregator, lazy.fit(order, unseen, deployed)


def _held_out(method: Method, ballots: Ballots, waves: Sequence[Sequence[str]], fold: Ints) -> _HeldOut:
    """Fit without each fold, predict it. A fold that would leave nothing to fit on is predicted by a fit on nothing."""
    weights = tuple(method(ballots.take(fold != part), waves) for part in range(_FOLDS))
    posterior = _predict(weights, ballots, fold)
    return _HeldOut(weights, posterior, _surprise(posterior, ballots))


def _surprise(posterior: Floats, ballots: Ballots) -> Floats:
    """Float (n,): −log probability of what is right: "none of these" of an open question where no candidate is.

    A closed question of which no option is right surprises every method alike: 0.
    """
    n, width = posterior.shape
    right = ballots.right_at(np.broadcast_to(np.arange(width), (n, width)))
    right[np.arange(n), ballots.candidates] |= ballots.open_set & ~right.any(axis=1)
    given = np.where(right.any(axis=1), (posterior * right).sum(axis=1), 1.0)
    return np.asarray(-np.log(np.maximum(given, 1e-12)))


def _predict(weights: Sequence[VoteWeights], ballots: Ballots, fold: Ints) -> Floats:
    table = np.zeros((len(ballots), int(ballots.candidates.max(initial=0)) + 1))
    for part, one in enumerate(weights):
        rows = np.flatnonzero(fold == part)
        posterior = one.posterior(ballots.take(rows))
        table[rows, : posterior.shape[1]] = posterior
    return table


def _walks(weights: Sequence[VoteWeights], fold: Ints, curve: Curve, ballots: Ballots, order: tuple[str, ...]) -> Walks:
    """Every ballot heard member by member in ``order``, each by the weights of its fold."""
    found = [leads(_predict(weights, heard, fold), heard) for heard in lazy.hearings(ballots, order)]
    confidence = np.stack([calibrated(curve, one, ballots) for one in found])
    return Walks(confidence, np.stack([one.right for one in found]), lazy.asked(ballots).sum(axis=1))
