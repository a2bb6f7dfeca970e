"""Metrics of equivalence on hand-made panels, and the fit on a model whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest

from consensus import equivalence
from consensus.equivalence import auroc, equivalence_metrics, fit, pairs


def question(name: str, *answers: tuple[str, bool]) -> dict[str, object]:
    judged = {f"m{i}": {"family": f"f{i}", "text": text, "correct": right} for i, (text, right) in enumerate(answers)}
    return {"id": name, "question": "who wrote the opera", "gold": [], "answers": judged}


PANEL = [
    question("q1", ("Giuseppe Verdi", True), ("It was written by Giuseppe Verdi.", True), ("Richard Wagner", False)),
    question("q2", ("Mozart", False), ("Haydn", False)),
]


def test_two_wrong_answers_say_nothing() -> None:
    assert [pair.same for pair in pairs(PANEL)] == [True, False, False]


def test_metrics_of_a_panel_by_hand() -> None:
    metrics = equivalence_metrics(PANEL)
    assert metrics["auroc"] == 1.0
    assert (metrics["merge_precision"], metrics["merge_recall"]) == (1.0, 1.0)
    assert metrics["pairs"] == 3
    assert metrics["undecided"] is not None
    assert metrics["different"] is not None
    assert metrics["undecided"] + metrics["different"] == pytest.approx(2 / 3)


def test_an_empty_panel_has_no_rates() -> None:
    metrics = equivalence_metrics([])
    assert metrics == {
        "auroc": None,
        "merge_precision": None,
        "merge_recall": None,
        "undecided": None,
        "different": None,
        "pairs": 0,
    }


def test_auroc_counts_ties_half() -> None:
    """Pairs (positive, negative): 0.9>0.5, 0.9>0.1, 0.5=0.5 (half), 0.5>0.1: 3.5 of 4."""
    scores, same = np.array([0.9, 0.5, 0.5, 0.1]), np.array([True, True, False, False])
    assert auroc(scores, same) == pytest.approx(3.5 / 4)
    assert auroc(scores, np.ones(4, dtype=bool)) is None


def test_fit_finds_the_weights_that_drew_the_labels() -> None:
    """20,000 labels of logit 0.5 + 2 x0 − x1: standard errors are below 0.04."""
    draw = np.random.default_rng(5)
    x = draw.normal(size=(20_000, 3))
    truth = 0.5 + 2 * x[:, 0] - x[:, 1]
    bias, weights = fit(x, draw.random(20_000) < 1 / (1 + np.exp(-truth)))
    assert bias == pytest.approx(0.5, abs=0.1)
    assert weights == pytest.approx([2.0, -1.0, 0.0], abs=0.12)


def test_a_constant_feature_changes_nothing() -> None:
    draw = np.random.default_rng(6)
    x = draw.normal(size=(500, 1))
    same = draw.random(500) < 1 / (1 + np.exp(-x[:, 0]))
    bias, weights = fit(np.column_stack([x, np.ones(500)]), same)
    alone, one = fit(x, same)
    assert weights[0] == pytest.approx(one[0])
    assert bias + weights[1] == pytest.approx(alone)


def test_the_threshold_keeps_the_precision_it_was_asked_for() -> None:
    """Scores 0.9 … 0.6 with labels S S D S: two of two, two of three, three of four are right."""
    labels = (True, True, False, True)
    made = [equivalence.Pair(f"apple{i}", f"pear{i}", "", same, 0, False, ()) for i, same in enumerate(labels)]
    scores = np.array([0.9, 0.8, 0.7, 0.6])
    assert equivalence.threshold(scores, made, precision=0.95) == pytest.approx(0.8)
    assert equivalence.threshold(scores, made, precision=0.75) == pytest.approx(0.6)
    assert equivalence.threshold(scores, made[2:3] * 4, precision=0.95) == 1.0


def test_folds_are_of_the_question_not_of_the_pair() -> None:
    assert equivalence.fold("q1") == equivalence.fold("q1")
    assert {pair.fold for pair in pairs(PANEL[:1])} == {equivalence.fold("q1")}
