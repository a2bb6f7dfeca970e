"""What members say about themselves: by source and model, finer keys leaning on coarser ones."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from calibration import member_confidence
from calibration.ballots import Ballots
from calibration.member_confidence import MemberCurves
from tests.calibration.tables import table

SOURCES = (("verbal", "v1", "p1"), ("verbal", "v2", "p1"), ("logprob", "v1", "p1"))


def stated(n: int, source: int, bias: float, seed: int = 0) -> Ballots:
    """One model that states log odds ``bias`` above the true ones, through one of `SOURCES`."""
    rng = np.random.default_rng(seed)
    odds = rng.normal(0.5, 1.0, n)
    right = rng.random(n) < 1 / (1 + np.exp(-odds))
    confidence = 1 / (1 + np.exp(-(odds + bias)))
    return table(
        np.where(right, 0, 1)[:, None], np.zeros(n), confidence=confidence[:, None], sources=SOURCES,
        source=np.full((n, 1), source, dtype=np.int64),
    )  # fmt: skip


def joined(*parts: Ballots) -> Ballots:
    def column(name: str) -> np.ndarray:
        return np.concatenate([getattr(part, name) for part in parts])

    return table(
        column("votes"), column("truth"), confidence=column("confidence"), sources=SOURCES, source=column("source")
    )


def test_overconfidence_is_undone() -> None:
    curves = member_confidence.fit(stated(2000, 0, bias=1.5))
    value = curves.value(("verbal", "m0", "v1", "p1", "choice"), "law", 1 / (1 + np.exp(-1.5)))
    assert value == pytest.approx(0.5, abs=0.05)


def test_a_curve_is_never_borrowed_from_another_source_or_model() -> None:
    curves = member_confidence.fit(stated(500, 0, bias=1.0))
    assert curves.value(("logprob", "m0", "v1", "p1", "choice"), "law", 0.8) is None
    assert curves.value(("verbal", "m1", "v1", "p1", "choice"), "law", 0.8) is None


def test_an_unseen_version_prompt_or_type_leans_on_the_model() -> None:
    curves = member_confidence.fit(stated(500, 0, bias=1.0))
    known = curves.value(("verbal", "m0", "v1", "p1", "choice"), "law", 0.8)
    assert curves.value(("verbal", "m0", "v9", "p9", "number"), "law", 0.8) == known


def test_sources_are_not_mixed() -> None:
    """Verbal confidences are far too high, logprobs are right: each gets its own curve."""
    ballots = joined(stated(1500, 0, bias=2.0, seed=1), stated(1500, 2, bias=0.0, seed=2))
    curves = member_confidence.fit(ballots)
    verbal = curves.value(("verbal", "m0", "v1", "p1", "choice"), "law", 0.8)
    logprob = curves.value(("logprob", "m0", "v1", "p1", "choice"), "law", 0.8)
    assert verbal == pytest.approx(0.35, abs=0.07)
    assert logprob == pytest.approx(0.8, abs=0.05)


def test_a_version_with_many_labels_has_its_own_curve_and_one_with_few_leans() -> None:
    """v2 is overconfident: with 800 labels its curve says so, with 10 it stays nearer to the model's."""
    many = member_confidence.fit(joined(stated(1500, 0, bias=0.0, seed=1), stated(800, 1, bias=2.0, seed=2)))
    few = member_confidence.fit(joined(stated(1500, 0, bias=0.0, seed=1), stated(10, 1, bias=2.0, seed=2)))
    key = ("verbal", "m0", "v2", "p1", "choice")
    own, leaning = many.value(key, "law", 0.8), few.value(key, "law", 0.8)
    assert own is not None
    assert leaning is not None
    assert own == pytest.approx(0.35, abs=0.08)
    assert own < leaning < 0.8


def test_nothing_is_said_below_the_minimum_of_labels_or_without_sources() -> None:
    assert member_confidence.fit(stated(29, 0, bias=0.0)) == MemberCurves()
    ballots = stated(500, 0, bias=0.0)
    unknown = table(ballots.votes, ballots.truth, confidence=ballots.confidence)
    assert member_confidence.fit(unknown) == MemberCurves()


@pytest.mark.parametrize("raw", [float("nan"), -0.1, 1.1, float("inf")])
def test_a_raw_confidence_that_is_none_gets_none(raw: float) -> None:
    curves = member_confidence.fit(stated(500, 0, bias=0.0))
    assert curves.value(("verbal", "m0", "v1", "p1", "choice"), "law", raw) is None


def test_the_table_form_agrees_with_the_single_one() -> None:
    ballots = stated(200, 0, bias=1.0)
    curves = member_confidence.fit(ballots)
    found = member_confidence.values(curves, ballots)
    one = curves.value(("verbal", "m0", "v1", "p1", "choice"), "law", float(ballots.confidence[7, 0]))
    assert found[7, 0] == one
    assert np.isnan(member_confidence.values(MemberCurves(), ballots)).all()


def test_members_that_state_no_confidence_get_no_curve() -> None:
    """Sources are known, since every answer names one, yet no cell holds a number: that is no error."""
    silent = stated(500, 0, bias=0.0)
    silent = replace(silent, confidence=np.full((500, 1), np.nan), source=np.full((500, 1), -1, dtype=np.int64))
    assert member_confidence.fit(silent) == MemberCurves()
    curves = member_confidence.fit(stated(500, 0, bias=0.0))
    assert np.isnan(member_confidence.values(curves, silent)).all()
