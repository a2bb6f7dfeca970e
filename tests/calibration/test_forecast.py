"""What to expect before anything is deployed, held against members whose accuracy is known."""

from __future__ import annotations

from dataclasses import replace

import pytest

from calibration.evaluate import Evaluation, Setup, examine
from calibration.forecast import Traffic, forecast
from tests.calibration.tables import independent

SETUP = Setup(labels=1200, repeats=2, prices={"m0": 2.0, "m1": 1.0, "m2": 1.0})


@pytest.fixture(scope="module")
def evaluation() -> Evaluation:
    """Three independent members right .85, .75 and .65 of the time, the best one at twice the price."""
    return examine(independent(3000, [0.85, 0.75, 0.65], seed=2), SETUP)


def test_the_baselines_stand_beside_the_consensus(evaluation: Evaluation) -> None:
    found = forecast(evaluation, Traffic(per_day=1000, alpha=0.05, audit_rate=0.0))
    consensus = evaluation.metrics["consensus"]
    assert [one.method for one in found] == [consensus, "majority", "most_confident", "best_single"]
    by_name = {one.method: one for one in found}
    assert by_name["best_single"].accuracy == pytest.approx(0.85, abs=0.03)
    assert by_name["best_single"].cost_multiple == 1.0
    assert by_name["majority"].cost_multiple == pytest.approx(2.0)
    assert found[0].accuracy >= by_name["best_single"].accuracy
    low, high = found[0].accuracy_ci
    assert low < found[0].accuracy < high


def test_accepted_answers_err_about_as_promised_and_the_rest_is_reviewed(evaluation: Evaluation) -> None:
    ours, *_ = forecast(evaluation, Traffic(per_day=1000, alpha=0.05, audit_rate=0.0))
    assert 0.5 < ours.accepted < 1.0
    assert ours.error == pytest.approx(0.05, abs=0.025)
    assert ours.reviews_per_day == pytest.approx(1000 * (1 - ours.accepted))
    audited, *_ = forecast(evaluation, Traffic(per_day=1000, alpha=0.05, audit_rate=0.1))
    assert audited.reviews_per_day == pytest.approx(1000 * (1 - 0.9 * ours.accepted))


def test_a_panel_that_may_never_accept_sends_everything_to_people(evaluation: Evaluation) -> None:
    """Confidences that keep no promise at this level leave nothing accepted, and no error to state."""
    unsure = [
        replace(
            run, answers={name: replace(one, confidence=one.confidence * 0 + 0.5) for name, one in run.answers.items()}
        )
        for run in evaluation.runs
    ]
    for one in forecast(replace(evaluation, runs=unsure), Traffic(per_day=50, alpha=0.05, audit_rate=0.2)):
        assert (one.accepted, one.error, one.reviews_per_day) == (0.0, None, 50.0)
