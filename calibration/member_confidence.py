"""Calibration of what members say about themselves, by source, model, version, prompt and answer type."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from calibration.ballots import UNKNOWN, Ballots
from calibration.calibrators import Fit, Sample, choose
from calibration.calibrators import values as curve_values
from calibration.curve import Curve, expit, logit
from calibration.folds import folds, order
from calibration.frozen import Frozen
from calibration.tally import Floats, Ints

MIN_LABELS = 30
"""Labels of (source, model) below which nothing is said; finer keys lean on their parent instead."""

MIN_OWN = 10
"""Labels below which a finer key is its parent, unmoved."""

MOST_LABELS = 4_000
"""Labels that one curve is fitted to at most, drawn by hash of the id: it has few parameters, and there are many."""

MOST_CURVES = 256

_FOLDS = 3
_CACHED = 4096
_SHIFT_PRIOR = 20.0

Key = tuple[str, ...]


class MemberCurve(Frozen):
    """Curve of one key, a prefix of (source, model, version, prompt hash, answer type) of at least two parts."""

    key: Key
    curve: Curve


class MemberCurves(Frozen):
    """Curves by key; a key that was never fitted answers with its nearest fitted parent, at worst the model's own."""

    curves: tuple[MemberCurve, ...] = ()

    @cached_property
    def _by_key(self) -> dict[Key, Curve]:
        return {entry.key: entry.curve for entry in self.curves}

    @cached_property
    def _nearest(self) -> dict[Key, Curve | None]:
        return {}

    def curve(self, key: Key) -> Curve | None:
        """The curve of the longest fitted prefix of ``key``; never one of another source or another model."""
        kept = self._nearest
        if key in kept:
            return kept[key]
        prefixes = (self._by_key.get(key[:length]) for length in range(len(key), 1, -1))
        found = next((curve for curve in prefixes if curve is not None), None)
        if len(kept) < _CACHED:  # versions and prompts are few, but nothing here grows for ever
            kept[key] = found
        return found

    def value(self, key: Key, domain: str, raw: float) -> float | None:
        """Calibrated confidence; ``None`` where (source, model) has not been fitted or ``raw`` is not in [0, 1]."""
        curve = self.curve(key) if 0.0 <= raw <= 1.0 else None  # never true of NaN
        return None if curve is None else curve.value(raw, domain)


def fit(ballots: Ballots) -> MemberCurves:
    """Curves of all keys with labels, parents before children; empty where the sources are unknown."""
    known = ballots.take(ballots.truth != UNKNOWN)
    if known.source is None or not len(known):
        return MemberCurves()
    cells = _cells(known)
    fold = folds(known.ids, _FOLDS)
    fitted: dict[Key, Curve] = {}
    for key in _with_most_labels(cells):
        alone = len(cells[key][0]) == len(cells.get(key[:-1], ((), ()))[0])
        parent = _parent(fitted, key)
        if parent is not None and alone:
            continue  # the parent says the same
        rows, columns = cells[key][0][:MOST_LABELS], cells[key][1][:MOST_LABELS]
        curve = _curve(_sample(known, rows, columns), fold[rows], parent)
        if curve is not None:
            fitted[key] = curve
    return MemberCurves(curves=tuple(MemberCurve(key=key, curve=curve) for key, curve in fitted.items()))


def values(members: MemberCurves, ballots: Ballots) -> Floats:
    """Float (n, m): calibrated confidences, NaN where there is none."""
    table = np.full(ballots.votes.shape, np.nan)
    if ballots.source is None or not members.curves:
        return table
    usable = (ballots.source >= 0) & (ballots.confidence >= 0.0) & (ballots.confidence <= 1.0)
    for key, (rows, columns) in _leaves(ballots, usable).items():
        curve = members.curve(key)
        if curve is not None:
            domains = tuple(ballots.domains[row] for row in rows.tolist())
            table[rows, columns] = curve_values(curve, ballots.confidence[rows, columns], domains)
    return table


def _cells(ballots: Ballots) -> dict[Key, tuple[Ints, Ints]]:
    """Rows and columns of the stated confidences of every key, in an order drawn by hash of the id."""
    drawn = np.empty(len(ballots), dtype=np.int64)
    drawn[order(ballots.ids, "member_confidence")] = np.arange(len(ballots))
    parts: dict[Key, list[tuple[Ints, Ints]]] = {}
    assert ballots.source is not None
    stated = (ballots.votes >= 0) & (ballots.confidence >= 0.0) & (ballots.confidence <= 1.0) & (ballots.source >= 0)
    for key, found in _leaves(ballots, stated).items():
        for length in range(2, len(key) + 1):
            parts.setdefault(key[:length], []).append(found)
    joined = {key: tuple(map(np.concatenate, zip(*found, strict=True))) for key, found in parts.items()}
    return {key: _turned(rows, columns, drawn) for key, (rows, columns) in joined.items()}


def _turned(rows: Ints, columns: Ints, drawn: Ints) -> tuple[Ints, Ints]:
    turn = np.argsort(drawn[rows], kind="stable")
    return rows[turn], columns[turn]


def _leaves(ballots: Ballots, chosen: NDArray[np.bool_]) -> dict[Key, tuple[Ints, Ints]]:
    """Rows and columns of the chosen cells by full key."""
    rows, columns = np.nonzero(chosen)
    if ballots.source is None or not len(rows):
        return {}
    types, kind = np.unique(np.array(ballots.answer_types, dtype=str), return_inverse=True)
    codes = np.stack([ballots.source[rows, columns], columns, kind[rows]], axis=1)
    distinct, group = np.unique(codes, axis=0, return_inverse=True)
    parts = np.split(np.argsort(group, kind="stable"), np.cumsum(np.bincount(group, minlength=len(distinct)))[:-1])
    leaves: dict[Key, tuple[Ints, Ints]] = {}
    for (source, column, answer_type), cells in zip(distinct.tolist(), parts, strict=True):
        origin, version, prompt = ballots.sources[source]
        key = (origin, ballots.models[column], version, prompt, str(types[answer_type]))
        leaves[key] = (rows[cells], columns[cells])
    return leaves


def _with_most_labels(cells: dict[Key, tuple[Ints, Ints]]) -> list[Key]:
    """The keys that get a curve, parents before children: at most `MOST_CURVES`, those with most labels.

    Versions and prompts come with the answers, so their number needs a bound. A parent has all labels of its children.
    """
    enough = [key for key, (rows, _) in cells.items() if len(rows) >= (MIN_LABELS if len(key) == 2 else MIN_OWN)]
    ranked = sorted(enough, key=lambda key: (-len(cells[key][0]), len(key), key))[:MOST_CURVES]
    return sorted(ranked, key=lambda key: (len(key), key))


def _sample(ballots: Ballots, rows: Ints, columns: Ints) -> Sample:
    return Sample(
        ballots.confidence[rows, columns],
        ballots.right_at(ballots.votes)[rows, columns].astype(float),
        tuple(ballots.domains[row] for row in rows.tolist()),
    )


def _parent(fitted: dict[Key, Curve], key: Key) -> Curve | None:
    return next((fitted[key[:length]] for length in range(len(key) - 1, 1, -1) if key[:length] in fitted), None)


def _curve(sample: Sample, fold: Ints, parent: Curve | None) -> Curve | None:
    """Curve of one key: chosen by held-out log loss among its own and its parent's, shifted as its labels allow.

    ``None`` where a key without a fitted parent has too few labels.
    """
    if parent is None:
        return choose(sample, fold) if len(sample) >= MIN_LABELS else None
    leaning = _leaning_on(parent)
    return leaning(sample) if len(sample) < MIN_LABELS else choose(sample, fold, leaning)


def _leaning_on(parent: Curve) -> Fit:
    """A calibrator that is its parent, moved in log odds as far as its labels outweigh `_SHIFT_PRIOR` imagined ones."""

    def fit_shift(sample: Sample) -> Curve:
        expected = curve_values(parent, sample.p, sample.domain)
        n = len(sample)
        mean = (sample.right.sum() + _SHIFT_PRIOR * expected.mean()) / (n + _SHIFT_PRIOR) if n else 0.5
        delta = logit(float(mean)) - logit(float(expected.mean())) if n else 0.0
        return _shifted(parent, delta).model_copy(update={"labels": n})

    return fit_shift


def _shifted(curve: Curve, delta: float) -> Curve:
    if curve.shape == "logit":
        return curve.model_copy(update={"intercept": curve.intercept + delta})

    def move(values: tuple[float, ...]) -> tuple[float, ...]:
        return tuple(expit(logit(y) + delta) for y in values)

    return curve.model_copy(
        update={"y": move(curve.y), "domain_y": {domain: move(y) for domain, y in curve.domain_y.items()}}
    )
