"""Certificates: the walk by hand, and its promise against known truth."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from calibration import certificates, trials
from calibration.certificates import (
    Campaign,
    excluded,
    labels_needed,
    plan,
    shared,
    split_fixed_sequence,
    useful_budget,
    walk,
)
from calibration.trials import Population


def campaign(thresholds: tuple[float, ...], budget: int = 200, start: int = 0, alpha: float = 0.15) -> Campaign:
    return Campaign(alpha=alpha, delta=0.05, budget=budget, thresholds=thresholds, start=start)


def archive(n: int, seed: int = 0) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Confidences that are true: an item of confidence p is wrong with probability 1 − p."""
    rng = np.random.default_rng(seed)
    scores = 1.0 - rng.random(n) ** 2 * 0.6
    return scores, (rng.random(n) > scores).astype(float)


def test_without_an_error_the_first_region_is_certified_at_the_first_crossing() -> None:
    fixed = campaign((0.9,))
    first = next(m for m, k in enumerate(fixed.boundary, 1) if k >= 0)
    scores = np.tile([0.95, 0.2], 400)
    progress = walk(fixed, scores, np.zeros(800))
    assert (progress.threshold, progress.regions) == (0.9, 1)
    assert (progress.n, progress.errors, progress.used) == (first, 0, first)
    assert progress.finished


def test_labels_inside_are_used_again_by_the_next_region() -> None:
    """The second region holds the first: only the items between them cost new labels."""
    fixed = campaign((0.9, 0.8))
    first = next(m for m, k in enumerate(fixed.boundary, 1) if k >= 0)
    scores = np.tile([0.95, 0.85], 400)
    progress = walk(fixed, scores, np.zeros(800))
    assert (progress.threshold, progress.regions) == (0.8, 2)
    # Region one looks at the first item of each pair, region two at both until it has as many: half of them are known.
    assert progress.used == first + first // 2


def test_a_region_that_errs_stops_the_walk_and_the_last_one_stands() -> None:
    scores = np.concatenate([np.full(400, 0.95), np.full(400, 0.85)])
    wrong = np.concatenate([np.zeros(400), np.ones(400)])
    mixed = np.random.default_rng(0).permutation(800)
    progress = walk(campaign((0.9, 0.8)), scores[mixed], wrong[mixed])
    assert (progress.threshold, progress.regions, progress.finished) == (0.9, 1, True)
    assert progress.used == 200


def test_everything_wrong_certifies_nothing() -> None:
    progress = walk(campaign((0.9,)), np.full(800, 0.95), np.ones(800))
    assert (progress.threshold, progress.regions, progress.used, progress.finished) == (None, 0, 200, True)


def test_an_exhausted_archive_ends_the_walk() -> None:
    progress = walk(campaign((0.9,)), np.full(20, 0.95), np.zeros(20))
    assert (progress.threshold, progress.used, progress.finished) == (None, 20, True)


def test_a_campaign_asks_for_one_label_after_the_other_and_ends_like_the_walk_on_all() -> None:
    """Labels arrive one by one, as reviewers give them: same certificate, same labels, in archive order."""
    scores, truth = archive(3000)
    fixed = plan(scores, alpha=0.15, delta=0.05, budget=200)
    known = np.full(3000, np.nan)
    asked: list[int] = []
    progress = walk(fixed, scores, known)
    while progress.needs is not None:
        asked.append(progress.needs)
        known[progress.needs] = truth[progress.needs]
        progress = walk(fixed, scores, known)
    assert progress == walk(fixed, scores, truth)
    assert len(asked) == len(set(asked)) == progress.used <= 200
    assert progress.threshold is not None


def test_labels_outside_the_walk_change_nothing() -> None:
    """An outcome that came early, for an item not yet reached, is not a look ahead."""
    fixed = campaign((0.9,))
    scores = np.full(500, 0.95)
    some, more = np.full(500, np.nan), np.full(500, np.nan)
    some[:10] = more[:10] = 0.0
    more[300:] = 1.0
    assert walk(fixed, scores, some) == walk(fixed, scores, more)
    assert walk(fixed, scores, some).needs == 10


def test_a_plan_is_blind_to_labels_and_starts_where_the_promise_is_largest() -> None:
    scores, _ = archive(5000)
    fixed = plan(scores, alpha=0.15, delta=0.05, budget=300)
    assert list(fixed.thresholds) == sorted(fixed.thresholds, reverse=True)
    shares = [float((scores >= threshold).mean()) for threshold in fixed.thresholds]
    assert shares[0] == pytest.approx(0.02, abs=0.002)
    assert shares[-1] == pytest.approx(0.90, abs=0.002)
    predicted = [float((1 - scores[scores >= threshold]).mean()) for threshold in fixed.thresholds]
    promise = [(0.15 - error) * math.sqrt(share) for error, share in zip(predicted, shares, strict=True)]
    assert fixed.start == int(np.argmax(promise))
    assert Campaign.model_validate_json(fixed.model_dump_json()) == fixed


def test_a_plan_starts_where_the_archive_holds_enough_to_cross_the_boundary() -> None:
    """The surest tenth promises most, but twenty items cannot certify anything: the walk would end there."""
    scores = np.concatenate([np.full(20, 0.999), np.full(120, 0.93), np.full(60, 0.3)])
    fixed = plan(scores, alpha=0.15, delta=0.05, budget=100)
    assert fixed.thresholds[fixed.start] == 0.93
    assert walk(fixed, scores, np.zeros(200)).regions >= 1
    hopeless = plan(np.full(200, 0.9), alpha=0.1, delta=0.05, budget=40)
    assert hopeless.thresholds[hopeless.start] == 0.9


def test_a_small_archive_gets_a_boundary_that_it_can_reach() -> None:
    """As many labels as items: a boundary for all of them is reached late, one for half of them covers half as much
    again; a large archive uses what it is given, and a hopeless one changes nothing."""
    covered = []
    for seed in range(12):
        scores, wrong = archive(300, seed)
        useful = useful_budget(scores, alpha=0.1, delta=0.05, most=300)
        walks = [walk(plan(scores, alpha=0.1, delta=0.05, budget=n), scores, wrong) for n in (useful, 300)]
        covered.append([0.0 if w.threshold is None else float((scores >= w.threshold).mean()) for w in walks])
    fitting, greedy = np.mean(covered, axis=0)
    assert fitting > 1.2 * greedy > 0.0
    assert useful_budget(archive(20_000)[0], alpha=0.15, delta=0.05, most=300) == 300
    assert useful_budget(np.full(100, 0.2), alpha=0.15, delta=0.05, most=80) == 80


def test_answers_that_cannot_be_accepted_belong_to_no_region() -> None:
    fixed = plan(np.array([0.0] * 50 + [0.9] * 50), alpha=0.1, delta=0.05, budget=30)
    assert fixed.thresholds == (0.9,)
    none = plan(np.zeros(50), alpha=0.1, delta=0.05, budget=30)
    assert none.thresholds == ()
    assert walk(none, np.zeros(50), np.zeros(50)).finished
    with pytest.raises(ValueError, match="archive"):
        plan(np.zeros(0), alpha=0.1, delta=0.05, budget=30)


@pytest.mark.parametrize("method", certificates.METHODS)
@pytest.mark.parametrize("alpha", [0.1, 0.15])
def test_the_bound_holds_where_the_truth_is_known(method: str, alpha: float) -> None:
    """1,000 campaigns on a population whose errors are worse than its scores say: violations ≤ 5 % + two errors."""
    scores, _ = archive(4000)
    rng = np.random.default_rng(1)
    population = Population(scores, (rng.random(4000) > scores - 0.05).astype(float))
    found = [
        trials.run(population, alpha=alpha, delta=0.05, budget=120, method=method, seed=(7, number))
        for number in range(1000)
    ]
    rate = np.mean([trial.error is not None and trial.error > alpha for trial in found])
    assert rate <= 0.05 + 2 * math.sqrt(0.05 * 0.95 / 1000)


@pytest.mark.parametrize("method", ["growing_region", "growing_region_e_process"])
def test_the_bound_holds_with_the_true_error_exactly_at_alpha(method: str) -> None:
    """The hardest case: every region errs at α. 2,000 campaigns; any certificate is a false one."""
    rng = np.random.default_rng(0)
    scores = rng.random(3000)
    fixed = plan(scores, alpha=0.15, delta=0.05, budget=120, method=method)
    issued = 0
    for _ in range(2000):
        issued += walk(fixed, scores, (rng.random(3000) < 0.15).astype(float)).threshold is not None
    assert issued / 2000 <= 0.05 + 2 * math.sqrt(0.05 * 0.95 / 2000)


def test_the_growing_region_certifies_more_than_the_plain_split() -> None:
    scores, wrong = archive(4000)
    population = Population(scores, wrong)
    coverage = {
        method: np.mean([
            trials.run(population, alpha=0.15, delta=0.05, budget=200, method=method, seed=(1, i)).coverage
            for i in range(40)
        ])
        for method in certificates.METHODS
    }  # fmt: skip
    assert coverage["growing_region"] > coverage["growing_region_e_process"] > 0.2
    assert coverage["growing_region"] > coverage["split_fixed_sequence"]


def test_the_plain_split_by_hand() -> None:
    """Sixty without an error certify .1 at 5 % (.9⁶⁰ = .002), twenty do not (.9²⁰ = .12)."""
    scores, right = np.full(60, 0.99), np.zeros(60)
    assert split_fixed_sequence(scores, right, alpha=0.1, delta=0.05) == 0.99
    assert split_fixed_sequence(scores[:20], right[:20], alpha=0.1, delta=0.05) is None
    assert split_fixed_sequence(scores, np.ones(60), alpha=0.1, delta=0.05) is None


def test_infeasible_is_an_answer_with_the_labels_that_would_do() -> None:
    """Far below α few labels do, near α many, above it none ever; and as many as are said do certify as a rule."""
    assert labels_needed(np.full(500, 0.8), alpha=0.1, delta=0.05) is None
    assert labels_needed(np.zeros(500), alpha=0.1, delta=0.05) is None
    near = labels_needed(np.full(500, 0.92), alpha=0.1, delta=0.05)
    far = labels_needed(np.full(500, 0.97), alpha=0.1, delta=0.05)
    assert near is not None
    assert far is not None
    assert far < near
    rng = np.random.default_rng(0)
    scores = np.full(far * 2, 0.97)
    fixed = plan(scores, alpha=0.1, delta=0.05, budget=far)
    certified = [walk(fixed, scores, (rng.random(far * 2) < 0.03).astype(float)).threshold for _ in range(100)]
    assert sum(threshold is not None for threshold in certified) > 60


def test_delta_is_shared_out_and_never_spent_twice() -> None:
    assert shared(0.05, classes=2, levels=3) == pytest.approx(0.05 / 6 * 6 / math.pi**2)
    assert sum(shared(0.05, cycle=cycle) for cycle in range(1, 100_000)) == pytest.approx(0.05, rel=1e-4)
    with pytest.raises(ValueError, match="count from 1"):
        shared(0.05, cycle=0)


def test_a_domain_that_errs_with_confidence_leaves_the_class() -> None:
    audits = {"law": (100, 25), "health": (100, 12), "tiny": (3, 2), "clean": (50, 0), "empty": (0, 0)}
    assert excluded(audits, alpha=0.1, delta=0.05) == ("law",)
    assert excluded({}, alpha=0.1, delta=0.05) == ()


def test_summaries_of_trials() -> None:
    population = Population(np.array([0.9, 0.8, 0.0]), np.array([0.0, 1.0, 1.0]))
    some = [trials.outcome(population, 0.85), trials.outcome(population, 0.5), trials.outcome(population, None)]
    found = trials.summarise(some, alpha=0.1, delta=0.05, labels=10, method="growing_region")
    assert found["feasible_rate"] == pytest.approx(2 / 3)
    assert found["coverage"] == pytest.approx((1 / 3 + 2 / 3) / 3)
    assert found["test_error"] == pytest.approx(0.25)
    assert found["violation_rate"] == pytest.approx(1 / 3)
