"""How well equivalence of free texts works on questions whose answers people judged, and the fit of its weights.

Labels come from correctness: two answers judged right mean the same, one right and one wrong do not, two wrong ones
say nothing. Questions, not pairs, are split, by SHA-256 of their id.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, TypedDict

import numpy as np
from numpy.typing import NDArray

from consensus.answers import lexical
from consensus.answers.claims import Finding, restated
from consensus.answers.facts import findings
from consensus.answers.lexical import RARE_MAX, Weights
from consensus.answers.profile import profile
from consensus.answers.profile import question as asked_question
from consensus.answers.tokens import canonical

FOLDS = 5
PRECISION = 0.951
"""Share of merged pairs that must be the same by label: 95 % with a little room for questions not seen."""
RIDGE = 1.0
RARE_QUESTIONS = 4
"""Questions in whose answers a word must occur to have a weight of its own; below, it counts as rare."""

Floats = NDArray[np.float64]
Question = Mapping[str, Any]
"""``{"id", "question", "answers": {model: {"text", "correct"}}}``, as recorded panels have them."""


class Metrics(TypedDict):
    """``auroc`` of the score; share of merged pairs that are the same; share of same pairs merged; shares left over."""

    auroc: float | None
    merge_precision: float | None
    merge_recall: float | None
    undecided: float | None
    different: float | None
    pairs: int


@dataclass(frozen=True)
class Pair:
    """Two answers to one question with their label ``same``; ``seen``: the shipped weights were fitted on it."""

    a: str
    b: str
    question: str
    same: bool
    fold: int
    seen: bool
    found: tuple[Finding, ...]

    @property
    def restated(self) -> bool:
        """Whether the texts are merged without a score: equal, or each says all that the other says."""
        return canonical(self.a) == canonical(self.b) or (self.free and restated(self.a, self.b))

    @property
    def free(self) -> bool:
        """Whether no veto forbids to merge."""
        return all(finding.grade == "hint" for finding in self.found)


def fold(question_id: str) -> int:
    """Fold of a question in [0, FOLDS), by SHA-256 of its id."""
    return hashlib.sha256(question_id.encode()).digest()[0] % FOLDS


def seen_hash(question_id: str) -> str:
    """Eight hexadecimal digits by which the shipped weights remember a question that they were fitted on."""
    return hashlib.sha256(question_id.encode()).hexdigest()[:8]


def pairs(questions: Iterable[Question], *, asked: bool = True) -> list[Pair]:
    """All labelled pairs. ``asked`` False leaves the question out, as for callers who do not know it."""
    known = lexical.fitted().seen
    out: list[Pair] = []
    for question in questions:
        text = str(question["question"]) if asked else ""
        where, seen = fold(question["id"]), seen_hash(question["id"]) in known
        stems = asked_question(text).stems
        judged = [(a["text"], a["correct"]) for a in question["answers"].values() if a.get("correct") is not None]
        for (a, right_a), (b, right_b) in combinations(judged, 2):
            if right_a or right_b:
                out.append(Pair(a, b, text, right_a and right_b, where, seen, findings(a, b, stems)))
    return out


def equivalence_metrics(questions: Iterable[Question], *, asked: bool = True) -> Metrics:
    """AUROC and merges on a judged panel. A question that was fitted on is scored by the fold that never saw it."""
    labelled = pairs(questions, asked=asked)
    shipped = lexical.fitted()
    whole, folds = (shipped.asked, shipped.asked_folds) if asked else (shipped.alone, shipped.alone_folds)
    models = [folds[pair.fold] if pair.seen else whole for pair in labelled]
    scores = np.array([_score(pair, model) for pair, model in zip(labelled, models, strict=True)], dtype=float)
    merged = np.array(
        [p.restated or (p.free and s >= m.threshold) for p, s, m in zip(labelled, scores, models, strict=True)],
        dtype=bool,
    )
    return measure(labelled, scores, merged)


def _score(pair: Pair, model: Weights) -> float:
    return 1.0 if pair.restated else model.probability(lexical.features(pair.a, pair.b, pair.question, pair.found))


def measure(labelled: Sequence[Pair], scores: Floats, merged: NDArray[np.bool_]) -> Metrics:
    """The metrics of given scores and merges; each is None where nothing is there to divide by."""
    same = np.array([pair.same for pair in labelled], dtype=bool)
    different = np.array([not p.restated and any(f.grade == "sure" for f in p.found) for p in labelled], dtype=bool)
    right = int((merged & same).sum())
    return Metrics(
        auroc=auroc(scores, same),
        merge_precision=_ratio(right, int(merged.sum())),
        merge_recall=_ratio(right, int(same.sum())),
        undecided=_ratio(int((~merged & ~different).sum()), len(labelled)),
        different=_ratio(int((~merged & different).sum()), len(labelled)),
        pairs=len(labelled),
    )


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def auroc(scores: Floats, same: NDArray[np.bool_]) -> float | None:
    """Area under the ROC curve (ties count half), or None when one class is missing."""
    positives, negatives = int(same.sum()), int((~same).sum())
    if not positives or not negatives:
        return None
    _, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    return float((ranks[same].sum() - positives * (positives + 1) / 2) / (positives * negatives))


# ---------------------------------------------------------------- fit


def rarity(questions: Iterable[Question]) -> dict[str, float]:
    """Weight of each stem: log of (questions / questions with it in an answer), one decimal, rare words left out."""
    seen: Counter[str] = Counter()
    count = 0
    for question in questions:
        count += 1
        stems: set[str] = set()
        for answer in question["answers"].values():
            stems.update(profile(answer["text"]).words)
        seen.update(stems)
    return {w: round(min(RARE_MAX, math.log(count / n)), 1) for w, n in sorted(seen.items()) if n >= RARE_QUESTIONS}


def design(labelled: Sequence[Pair], table: Mapping[str, float]) -> tuple[Floats, NDArray[np.bool_]]:
    """Features (pairs × features) and labels."""
    rows = [lexical.features(pair.a, pair.b, pair.question, pair.found, table) for pair in labelled]
    return np.array(rows, dtype=float), np.array([pair.same for pair in labelled], dtype=bool)


def fit(features: Floats, same: NDArray[np.bool_], ridge: float = RIDGE, steps: int = 30) -> tuple[float, Floats]:
    """Ridge logistic regression by Newton's method on standardised features; bias and weights for the raw ones."""
    centre, scale = features.mean(axis=0), features.std(axis=0)
    scale[scale == 0] = 1.0
    x = np.column_stack([np.ones(len(features)), (features - centre) / scale])
    penalty = np.diag([0.0, *np.full(features.shape[1], ridge)])
    beta = np.zeros(x.shape[1])
    for _ in range(steps):
        p = 1 / (1 + np.exp(-x @ beta))
        gradient = x.T @ (same - p) - penalty @ beta
        step = np.linalg.solve(x.T @ (x * (p * (1 - p))[:, None]) + penalty, gradient)
        beta += step
        if np.abs(step).max() < 1e-9:
            break
    weights = beta[1:] / scale
    return float(beta[0] - weights @ centre), weights


def threshold(scores: Floats, labelled: Sequence[Pair], precision: float = PRECISION) -> float:
    """Least score at which the pairs that are merged, restated ones included, are the same by ``precision``."""
    free = np.array([pair.free or pair.restated for pair in labelled], dtype=bool)
    same = np.array([pair.same for pair in labelled], dtype=bool)
    ranked = np.where(np.array([pair.restated for pair in labelled], dtype=bool), np.inf, scores)[free]
    order = np.argsort(-ranked, kind="stable")
    enough = np.cumsum(same[free][order]) >= precision * np.arange(1, len(order) + 1)
    return float(min(ranked[order][enough].min(), 1.0)) if enough.any() else 1.0


def fit_weights(labelled: Sequence[Pair], features: Floats, same: NDArray[np.bool_]) -> Weights:
    """Weights on all of these pairs, with the threshold that their own folds, each left out in turn, ask for."""
    folds = np.array([pair.fold for pair in labelled])
    scores = np.empty(len(labelled))
    for k in np.unique(folds):
        bias, weights = fit(features[folds != k], same[folds != k])
        scores[folds == k] = 1 / (1 + np.exp(-(bias + features[folds == k] @ weights)))
    bias, weights = fit(features, same)
    return Weights(round(bias, 4), tuple(round(float(w), 4) for w in weights), round(threshold(scores, labelled), 4))
