"""Calibration of what members say about themselves, by source, model, version, prompt and answer type."""

from __future__ import annotations

import math
from functools import cached_property

import numpy as np

from calibration.ballots import UNKNOWN, Ballots
from calibration.calibrators import Fit, Sample, choose
from calibration.calibrators import values as curve_values
from calibration.curve import Curve, expit, logit
from calibration.folds import folds
from calibration.frozen import Frozen
from calibration.tally import Floats

MIN_LABELS = 30
"""Labels of (source, model) below which nothing is said; finer keys lean on their parent instead."""

_FOLDS = 5
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

    def curve(self, key: Key) -> Curve | None:
        """The curve of the longest fitted prefix of ``key``; never one of another source or another model."""
        for length in range(len(key), 1, -1):
            found = self._by_key.get(key[:length])
            if found is not None:
                return found
        return None

    def value(self, key: Key, domain: str, raw: float) -> float | None:
        """Calibrated confidence; ``None`` where (source, model) has not been fitted or ``raw`` is not in [0, 1]."""
        curve = self.curve(key) if math.isfinite(raw) and 0.0 <= raw <= 1.0 else None
        return None if curve is None else curve.value(raw, domain)


def fit(ballots: Ballots) -> MemberCurves:
    """Curves of all keys with labels, parents before children; empty where the sources are unknown."""
    known = ballots.take(ballots.truth != UNKNOWN)
    if known.source is None:
        return MemberCurves()
    stated = (known.votes >= 0) & ~np.isnan(known.confidence) & (known.source >= 0)
    cells: dict[Key, list[tuple[int, int]]] = {}
    for row, column in np.argwhere(stated).tolist():
        key = _key(known, row, column)
        for length in range(2, len(key) + 1):
            cells.setdefault(key[:length], []).append((row, column))
    fitted: dict[Key, Curve] = {}
    for key in sorted(cells, key=lambda k: (len(k), k)):
        alone = len(cells[key]) == len(cells.get(key[:-1], ()))
        curve = _curve(known, cells[key], _parent(fitted, key), only_child=alone)
        if curve is not None:
            fitted[key] = curve
    return MemberCurves(curves=tuple(MemberCurve(key=key, curve=curve) for key, curve in fitted.items()))


def values(members: MemberCurves, ballots: Ballots) -> Floats:
    """Float (n, m): calibrated confidences, NaN where there is none."""
    table = np.full(ballots.votes.shape, np.nan)
    if ballots.source is None or not members.curves:
        return table
    for row, column in np.argwhere(~np.isnan(ballots.confidence) & (ballots.source >= 0)).tolist():
        key, domain = _key(ballots, row, column), ballots.domains[row]
        found = members.value(key, domain, float(ballots.confidence[row, column]))
        table[row, column] = np.nan if found is None else found
    return table


def _key(ballots: Ballots, row: int, column: int) -> Key:
    assert ballots.source is not None
    source, version, prompt = ballots.sources[int(ballots.source[row, column])]
    return (source, ballots.models[column], version, prompt, ballots.answer_types[row])


def _parent(fitted: dict[Key, Curve], key: Key) -> Curve | None:
    return next((fitted[key[:length]] for length in range(len(key) - 1, 1, -1) if key[:length] in fitted), None)


def _curve(ballots: Ballots, cells: list[tuple[int, int]], parent: Curve | None, *, only_child: bool) -> Curve | None:
    """Curve of one key: chosen by held-out log loss among its own and its parent's, shifted as its labels allow.

    ``None`` where the parent says the same (an only child) or where there are too few labels and no parent.
    """
    if (parent is None and len(cells) < MIN_LABELS) or (parent is not None and only_child):
        return None
    rows, columns = np.array(cells).T
    sample = Sample(
        ballots.confidence[rows, columns],
        ballots.right_at(ballots.votes)[rows, columns].astype(float),
        tuple(ballots.domains[row] for row in rows.tolist()),
    )
    if parent is None:
        return choose(sample, folds([ballots.ids[row] for row in rows.tolist()], _FOLDS))
    leaning = _leaning_on(parent)
    if len(sample) < MIN_LABELS:
        return leaning(sample)
    return choose(sample, folds([ballots.ids[row] for row in rows.tolist()], _FOLDS), leaning)


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
