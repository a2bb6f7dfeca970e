"""Audits against plan: counted, paced, dated."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from calibration.audits import NEEDED, plan_of

NOW = datetime(2026, 5, 11, tzinfo=UTC)


def draws(n: int, labelled: int, days: float) -> list[tuple[datetime, bool]]:
    """``n`` draws spread evenly over the last ``days``, the first ``labelled`` of them with a label."""
    return [(NOW - timedelta(days=days * (n - i) / n), i < labelled) for i in range(n)]


def test_the_date_follows_from_the_pace() -> None:
    """65 draws in ten days are 6.5 a day: the other 65 take ten days more."""
    plan = plan_of("default", draws(65, 60, 10), NOW)
    assert (plan.audits, plan.waiting, plan.needed) == (60, 5, NEEDED)
    assert plan.per_day == 6.5
    assert plan.due == NOW + timedelta(days=10)
    assert plan.behind


def test_enough_audits_are_on_plan_and_have_no_date() -> None:
    plan = plan_of("default", draws(140, 130, 20), NOW)
    assert (plan.behind, plan.due) == (False, None)
    assert plan_of("default", draws(140, 129, 20), NOW).behind


def test_draws_that_only_wait_for_their_labels_are_due_now() -> None:
    assert plan_of("default", draws(200, 50, 20), NOW).due == NOW


def test_a_young_class_is_not_behind_yet_and_an_idle_one_has_no_pace() -> None:
    assert not plan_of("default", draws(20, 10, 6), NOW).behind
    idle = plan_of("default", [], NOW)
    assert (idle.audits, idle.per_day, idle.due, idle.behind) == (0, None, None, False)


def test_a_plan_as_json() -> None:
    tree = plan_of("p/law", draws(65, 60, 10), NOW).tree()
    assert tree["class"] == "p/law"
    assert tree["due"] == "2026-05-21T00:00:00+00:00"
