"""Cost, calibration, feedback and reviews a day, by hand-worked tables."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from calibration import standing
from calibration.standing import Decided

MIDNIGHT = datetime(2026, 5, 1, tzinfo=UTC)


def decided(confidence: float | None = None, *, hours: float = 0, **changes: Any) -> Decided:
    base: dict[str, Any] = {
        "cls": "default", "domain": "law", "kind": "none", "status": "accepted", "right": None, "feedback": None,
        "cost": 0.01, "calls": 3, "audit_rate": 0.1, "audited": False,
    }  # fmt: skip
    return Decided(decided_at=MIDNIGHT + timedelta(hours=hours), confidence=confidence, **{**base, **changes})


def at(rows: list[dict[str, Any]], alpha: float) -> dict[str, Any]:
    (found,) = [row for row in rows if row["alpha"] == alpha]
    return found


def test_the_lowest_honest_bar() -> None:
    """Mean error from .99 on is .01, from .91 .05, from .79 .09: α picks the bar, people get the rest and audits."""
    some = [decided(c, hours=h) for c, h in ((0.99, 0), (0.95, 12), (0.91, 24), (0.79, 36), (0.40, 48))]
    rows = standing.what_if(some)
    assert at(rows, 0.01) == {
        "class": "default", "alpha": 0.01, "threshold": 0.99, "accepted": 0.2, "expected_error": pytest.approx(0.01),
        "decisions_per_day": 2.5, "reviews_per_day": pytest.approx(2.5 * (0.8 + 0.02)),
    }  # fmt: skip
    assert (at(rows, 0.05)["threshold"], at(rows, 0.05)["accepted"]) == (0.91, 0.6)
    assert (at(rows, 0.10)["threshold"], at(rows, 0.10)["expected_error"]) == (0.79, pytest.approx(0.09))
    assert at(rows, 0.20)["accepted"] == 1.0


def test_equal_confidences_are_accepted_together_or_not_at_all() -> None:
    """A bar cannot tell them apart."""
    some = [decided(0.99), decided(0.94), decided(0.94), decided(0.94)]
    assert at(standing.what_if(some), 0.02)["accepted"] == 0.25
    assert at(standing.what_if(some), 0.05)["accepted"] == 1.0


def test_without_confidences_everything_is_reviewed() -> None:
    """Nothing fitted, or kinds that go to people whatever the numbers say: no bar, no promise."""
    some = [decided(None), decided(0.99, kind="adversarial", hours=12), decided(None, hours=24)]
    row = at(standing.what_if(some), 0.20)
    assert (row["threshold"], row["accepted"], row["expected_error"]) == (None, 0.0, None)
    assert row["reviews_per_day"] == row["decisions_per_day"] == 3.0


def test_a_short_time_is_taken_for_a_day() -> None:
    """Two decisions a second apart are no 172,800 a day."""
    assert at(standing.what_if([decided(0.9), decided(0.9, hours=0.001)]), 0.2)["decisions_per_day"] == 2.0


def test_costs_by_class() -> None:
    """Mean, median, dearest tenth, calls, and how decisions ended."""
    some = [decided(cost=0.01 * i, calls=i, status="accepted" if i < 4 else "pending_review") for i in range(1, 6)]
    (row,) = standing.costs(some)
    assert (row["decisions"], row["cost_mean"], row["cost_median"]) == (5, pytest.approx(0.03), pytest.approx(0.03))
    assert row["cost_p90"] == pytest.approx(0.046)
    assert (row["calls_mean"], row["statuses"]) == (3.0, {"accepted": 0.6, "pending_review": 0.4})
    assert [one["class"] for one in standing.costs([decided(cls="b"), decided(cls="a")])] == ["a", "b"]


def test_stated_confidence_against_what_was_right() -> None:
    """Two bins of twenty: .6 of which half were right, and .9 of which all were; the interval holds the share."""
    some = [decided(0.6, right=i % 2 == 0) for i in range(20)] + [decided(0.9, right=True) for _ in range(20)]
    low, high = standing.calibration([*some, decided(0.7), decided(None, right=True)])
    assert (low["confidence"], low["right"], low["labels"]) == (pytest.approx(0.6), 0.5, 20)
    assert low["low"] < 0.5 < low["high"]
    assert (high["right"], high["high"]) == (1.0, pytest.approx(1.0, abs=0.01))
    assert standing.calibration([decided(0.7)]) == []


def test_audited_accepts_say_what_the_others_cannot() -> None:
    """Four audits that stated .9 on average, three of them right; what was not drawn or has no label is left out."""
    some = [decided(c, right=c > 0.8, audited=True) for c in (0.8, 0.9, 0.95, 0.95)]
    (row,) = standing.audited([*some, decided(0.5, right=False), decided(0.5, audited=True)])
    assert (row["audits"], row["stated"], row["right"]) == (4, pytest.approx(0.9), 0.75)
    assert row["low"] < 0.75 < row["high"]
    assert standing.audited([decided(0.9, right=True)]) == []


def test_feedback_is_counted_by_class() -> None:
    """Only where something came back."""
    some = [decided(feedback=True), decided(feedback=False), decided(), decided(cls="quiet")]
    assert standing.feedback(some) == [{"class": "default", "outcomes": 2, "wrong": 1}]
