"""Evaluation of a recorded panel, on panels whose figures are known."""

from __future__ import annotations

import json

import numpy as np
import pytest

from calibration import report
from calibration.ballots import UNKNOWN, Ballots, stack
from calibration.evaluate import METHODS, Setup, evaluate, examine, split
from calibration.summary import spent
from tests.calibration.tables import NOT_ASKED, copied, independent, table

KEYS = {
    "panel", "n_test", "n_labels", "seed", "repeats", "methods", "consensus", "paired", "effective_votes", "lazy",
    "certificates", "by_domain", "cost_multiple",
}  # fmt: skip


@pytest.fixture(scope="module")
def panel() -> Ballots:
    """Five independent members on two domains, 900 questions."""
    base = independent(900, [0.8, 0.7, 0.65, 0.6, 0.5], seed=4)
    return table(base.votes, base.truth, domains=["law", "health", "law"] * 300)


def test_metrics_have_the_agreed_form_and_are_json(panel: Ballots) -> None:
    metrics = evaluate(panel, labels=300, repeats=2)
    assert set(metrics) == KEYS
    assert json.loads(json.dumps(metrics, allow_nan=False)) == metrics
    assert (metrics["n_test"], metrics["n_labels"], metrics["repeats"], metrics["seed"]) == (600, 300, 2, 0)
    assert metrics["panel"] == ["m0", "m1", "m2", "m3", "m4"]
    for scores in metrics["methods"].values():
        assert set(scores) == {"accuracy", "accuracy_ci", "log_loss", "brier", "ece", "aurc"}
        assert scores["accuracy_ci"][0] < scores["accuracy"] < scores["accuracy_ci"][1]
    assert set(METHODS) <= set(metrics["methods"])
    assert metrics["consensus"] in metrics["methods"]
    assert set(metrics["lazy"]) == {
        "panel_size", "calls_mean", "coverage", "error", "full_coverage", "full_error",
    }  # fmt: skip
    assert set(metrics["by_domain"]) == {"law", "health"}


def test_it_is_deterministic_and_the_seed_matters(panel: Ballots) -> None:
    one = evaluate(panel, labels=200, repeats=1)
    shuffled = panel.take(np.random.default_rng(0).permutation(900))
    assert evaluate(panel, labels=200, repeats=1) == one
    assert evaluate(shuffled, labels=200, repeats=1)["methods"]["best_single"] == one["methods"]["best_single"]
    assert evaluate(panel, labels=200, repeats=1, seed=1) != one


def test_figures_of_independent_members_are_those_of_the_closed_form() -> None:
    """Two members right .8 and one .5 of the time: best single .8, five effective votes of five copies: one."""
    ballots = independent(4000, [0.8, 0.8, 0.5], options=2, seed=1)
    metrics = evaluate(ballots, labels=1000, repeats=2)
    assert metrics["methods"]["best_single"]["accuracy"] == pytest.approx(0.8, abs=0.02)
    majority = 0.8 * 0.8 + 2 * 0.8 * 0.2 * 0.5
    assert metrics["methods"]["majority"]["accuracy"] == pytest.approx(majority, abs=0.02)
    assert metrics["effective_votes"] == pytest.approx(3.0, abs=0.2)
    same = evaluate(copied(600, 0.7, copies=5), labels=200, repeats=1)
    assert same["effective_votes"] == pytest.approx(1.0)
    assert same["paired"]["over_best_single"]["mean"] == pytest.approx(0.0, abs=1e-9)
    assert same["paired"]["over_best_single"]["ci"] == pytest.approx([0.0, 0.0])


def test_paired_intervals_exclude_zero_where_the_gain_is_known() -> None:
    """One expert among guessers: majority .46 at best, the expert .9, and the consensus follows it."""
    metrics = evaluate(independent(1500, [0.25, 0.25, 0.9, 0.25, 0.25], seed=2), labels=500, repeats=2)
    over = metrics["paired"]["over_majority"]
    assert over["ci"][0] > 0.3
    assert metrics["paired"]["over_best_single"]["mean"] == pytest.approx(0.0, abs=0.01)


def test_a_majority_tie_scores_one_in_k() -> None:
    """Two members that never agree and are right in turns: majority and its ties are worth one half."""
    votes = [[0, 1]] * 400
    metrics = evaluate(table(votes, [0, 1] * 200, candidates=2), labels=100, repeats=1)
    assert metrics["methods"]["majority"]["accuracy"] == pytest.approx(0.5)


def test_questions_without_truth_are_left_out(panel: Ballots) -> None:
    extra = table([[0] * 5] * 50, [UNKNOWN] * 50)
    extra = Ballots(**{**vars(extra), "ids": tuple(f"x{i}" for i in range(50))})
    assert evaluate(stack([panel, extra]), labels=200, repeats=1) == evaluate(panel, labels=200, repeats=1)


def test_splits_do_not_overlap_and_differ_between_repeats(panel: Ballots) -> None:
    setup = Setup(labels=200)
    fit_rows, test_rows = split(panel, setup, 0)
    assert len(fit_rows) == 200
    assert sorted([*fit_rows, *test_rows]) == list(range(900))
    assert set(fit_rows.tolist()) != set(split(panel, setup, 1)[0].tolist())


def test_prices_decide_the_cost_multiple(panel: Ballots) -> None:
    """The best member costs ten times the others: all five calls cost 1.4 of its own."""
    ballots = table([[0, 1, NOT_ASKED], [0, 1, 2]], [0, 0])
    assert spent(ballots, ["m0", "m1", "m2"], [10.0, 1.0, 1.0], np.array([3, 3])) == pytest.approx(11.5)
    free = evaluate(panel, labels=200, repeats=1)
    dear = evaluate(panel, labels=200, repeats=1, prices={"m0": 10.0})
    assert free["cost_multiple"] == pytest.approx(free["lazy"]["calls_mean"])
    assert dear["cost_multiple"] == pytest.approx((10 + free["lazy"]["calls_mean"] - 1) / 10)


def test_certificates_are_tried_for_each_alpha(panel: Ballots) -> None:
    """Independent members make an error of .3 easy to certify for most answers, one of .001 impossible."""
    metrics = evaluate(panel, labels=500, repeats=2, alphas=(0.001, 0.3))
    impossible, easy = metrics["certificates"]
    assert (impossible["alpha"], impossible["feasible_rate"], impossible["coverage"]) == (0.001, 0.0, 0.0)
    assert impossible["test_error"] is None
    assert easy["feasible_rate"] == 1.0
    assert easy["coverage"] > 0.7
    assert easy["test_error"] < 0.3
    assert (easy["delta"], easy["n_labels"], easy["method"], easy["repeats"]) == (0.05, 500, "growing_region", 10)
    with pytest.raises(ValueError, match="alphas"):
        evaluate(panel, labels=500, alphas=(1.5,))


@pytest.mark.parametrize("labels", [0, 29, 900, 5000])
def test_too_few_or_too_many_labels_are_refused(panel: Ballots, labels: int) -> None:
    with pytest.raises(ValueError, match="labels must be in"):
        evaluate(panel, labels=labels)


def test_no_repeats_are_refused(panel: Ballots) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        evaluate(panel, labels=100, repeats=0)


def test_progress_ends_at_its_total(panel: Ballots) -> None:
    seen: list[tuple[int, int]] = []
    evaluate(panel, labels=100, repeats=2, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_the_report_is_self_contained_and_escapes_names() -> None:
    base = independent(300, [0.8, 0.7, 0.6], seed=4)
    ballots = table(base.votes, base.truth, domains=["<script>alert(1)</script>"] * 300)
    page = report.html(examine(ballots, Setup(labels=100, repeats=1)))
    assert page.startswith("<!doctype html>")
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert "http://" not in page.replace("http://www.w3.org/2000/svg", "")
    assert "https://" not in page
    for title in ("Reliability", "Risk and coverage", "Errors together", "Cost", "Learning", "Agreement", "Domains"):
        assert title in page
    assert page.count("<svg") >= 5
