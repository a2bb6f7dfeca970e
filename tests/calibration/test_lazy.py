"""The lazy panel: when it stops, and that stopping costs no risk."""

from __future__ import annotations

import numpy as np
import pytest

from calibration import lazy
from calibration.lazy import LazyPlan, Walks, first_waves, hearings, restricted
from tests.calibration.tables import FAILED, NOT_ASKED, table

PLAN = LazyPlan(order=("a", "b", "c", "d", "e"), min_calls=3, margin=0.5, accept=0.8, accept_full=0.78)


def test_stops_when_sure_and_when_hopeless_and_goes_on_between() -> None:
    assert not PLAN.wants_more(0.95, 3)
    assert not PLAN.wants_more(0.40, 3)
    assert PLAN.wants_more(0.80, 3)
    assert PLAN.wants_more(0.75, 4)
    assert not PLAN.wants_more(0.80, 5)


def test_never_stops_before_the_first_wave_or_without_a_confidence() -> None:
    assert PLAN.wants_more(0.99, 2)
    assert PLAN.wants_more(None, 4)
    assert not PLAN.wants_more(None, 5)


def test_a_smaller_panel_keeps_the_order_and_a_stranger_has_no_plan() -> None:
    smaller = restricted(PLAN, ["e", "a"])
    assert smaller is not None
    assert (smaller.order, smaller.min_calls) == (("a", "e"), 2)
    assert restricted(PLAN, ["a", "stranger"]) is None


def test_first_waves_end_before_the_whole_panel() -> None:
    assert first_waves("abcde") == (("a", "b", "c"), ("a", "b", "c", "d"))
    assert first_waves("abcdefghi") == (tuple("abc"), tuple("abcdef"))
    assert first_waves("abc") == ()


def test_hearings_pass_over_members_without_a_record() -> None:
    """In the order m1, m0, m2: a failure is a call, a missing record is not."""
    ballots = table([[0, NOT_ASKED, 2], [FAILED, 1, 2]], [0, 1])
    views = [view.votes.tolist() for view in hearings(ballots, ["m1", "m0", "m2"])]
    assert views[0] == [[0, NOT_ASKED, NOT_ASKED], [NOT_ASKED, 1, NOT_ASKED]]
    assert views[1] == [[0, NOT_ASKED, 2], [FAILED, 1, NOT_ASKED]]
    assert views[2] == [[0, NOT_ASKED, 2], [FAILED, 1, 2]]


def test_walks_by_hand() -> None:
    """Four ballots of four members, bar .8, margin half a nat: sure, hopeless, near to the end, short of records."""
    confidence = np.array([[0.5] * 4, [0.5] * 4, [0.95, 0.3, 0.8, 0.8], [0.9, 0.9, 0.85, 0.8]])
    walks = Walks(confidence, np.ones((4, 4)), np.array([4, 4, 4, 3]))
    calls, accepted = walks.stop(0.8, 0.5, 3)
    assert calls.tolist() == [3, 3, 4, 3]
    assert accepted.tolist() == [True, False, True, True]
    assert walks.error(calls, accepted) == 0.0
    assert walks.error(calls, np.zeros(4, dtype=bool)) == 0.0


def simulated(n: int, seed: int = 0) -> Walks:
    """Confidences that are a martingale: after k of five members, the mean of what the full panel will say."""
    rng = np.random.default_rng(seed)
    signal = rng.normal(0.0, 1.0, (5, n)) * np.array([1.0, 0.9, 0.8, 0.2, 0.2])[:, None]
    odds = 1.2 + np.cumsum(signal, axis=0)
    confidence = 1 / (1 + np.exp(-odds))
    right = rng.random(n) < confidence[-1]
    return Walks(confidence, np.tile(right.astype(float), (5, 1)), np.full(n, 5))


def test_a_plan_saves_calls_at_equal_risk() -> None:
    """Late members change little: most ballots stop at the first wave, and the accepted err as the full panel's."""
    walks = simulated(6000)
    plan = lazy.fit(("a", "b", "c", "d", "e"), walks, walks)
    fresh = simulated(20_000, seed=1)
    calls, accepted = fresh.stop(plan.accept, plan.margin, plan.min_calls)
    everyone, full = fresh.stop(plan.accept_full, float("inf"), 5)
    assert everyone.tolist() == [5] * 20_000
    assert 3.0 < calls.mean() < 3.4
    assert accepted.mean() == pytest.approx(full.mean(), abs=0.02)
    assert fresh.error(calls, accepted) == pytest.approx(fresh.error(everyone, full), abs=0.01)
    assert fresh.error(everyone, full) == pytest.approx(lazy.TARGET_RISK, abs=0.02)


def test_where_nothing_can_be_accepted_the_first_wave_is_enough() -> None:
    hopeless = Walks(np.full((5, 50), 0.3), np.zeros((5, 50)), np.full(50, 5))
    plan = lazy.fit(("a", "b", "c", "d", "e"), hopeless, hopeless)
    assert plan.accept_full == 1.0
    calls, accepted = hopeless.stop(plan.accept, plan.margin, plan.min_calls)
    assert (calls == 3).all()
    assert not accepted.any()


def test_a_panel_smaller_than_the_first_wave_is_asked_whole() -> None:
    walks = Walks(np.full((2, 40), 0.9), np.ones((2, 40)), np.full(40, 2))
    plan = lazy.fit(("a", "b"), walks, walks)
    assert plan.min_calls == 2
    assert not plan.wants_more(0.5, 2)
