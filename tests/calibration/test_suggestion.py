"""Suggested panels: independent evidence counts, copies and guessers do not."""

from __future__ import annotations

import numpy as np
import pytest

from calibration import suggestion
from calibration.ballots import Ballots
from calibration.correlation import effective_votes, mean_correlation
from calibration.suggestion import TrackRecord, evidence, suggest
from tests.calibration.tables import independent, table


@pytest.fixture(scope="module")
def record() -> TrackRecord:
    """m0 is best, m1 its copy, m2 a little worse and independent, m3 guesses."""
    base = independent(1500, [0.85, 0.75, 0.25], seed=3)
    votes = np.column_stack([base.votes[:, 0], base.votes[:, 0], base.votes[:, 1], base.votes[:, 2]])
    return TrackRecord.of(table(votes, base.truth))


def test_a_copy_adds_next_to_nothing_and_an_independent_member_its_own_square(record: TrackRecord) -> None:
    alone = evidence(record, ["m0"], "law")
    assert evidence(record, ["m0", "m1"], "law") == pytest.approx(alone, rel=0.05)
    other = evidence(record, ["m2"], "law")
    assert evidence(record, ["m0", "m2"], "law") == pytest.approx(alone + other, rel=0.1)
    assert evidence(record, [], "law") == 0.0


def test_the_least_redundant_panel_is_suggested(record: TrackRecord) -> None:
    found = suggest(record, {f"m{j}": 1.0 for j in range(4)}, size=2, budget=10.0)
    assert found is not None
    assert found.models in {("m0", "m2"), ("m1", "m2")}
    assert found.price == 2.0
    assert found.effective_votes == pytest.approx(2.0, abs=0.2)


def test_the_budget_binds(record: TrackRecord) -> None:
    prices = {"m0": 5.0, "m1": 1.0, "m2": 1.0, "m3": 1.0}
    found = suggest(record, prices, size=2, budget=2.0)
    assert found is not None
    assert found.models == ("m1", "m2")
    assert suggest(record, prices, size=2, budget=1.0) is None
    assert suggest(record, prices, size=9, budget=99.0) is None
    assert suggest(record, {"stranger": 1.0}, size=1, budget=9.0) is None


def test_growing_a_panel_finds_the_same_where_both_can_be_done(
    record: TrackRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    prices = {f"m{j}": 1.0 for j in range(4)}
    every = suggest(record, prices, size=3, budget=10.0)
    monkeypatch.setattr(suggestion, "_EXHAUSTIVE", 0)
    grown = suggest(record, prices, size=3, budget=10.0)
    assert every is not None
    assert grown is not None
    assert grown.evidence == pytest.approx(every.evidence, rel=0.02)
    assert suggest(record, prices, size=3, budget=2.0) is None


@pytest.mark.parametrize("exhaustive", [0, 12])
def test_without_a_size_only_members_that_add_something_are_paid_for(
    record: TrackRecord, monkeypatch: pytest.MonkeyPatch, exhaustive: int
) -> None:
    """The copy and the guesser are left out although the budget would buy them."""
    monkeypatch.setattr(suggestion, "_EXHAUSTIVE", exhaustive)
    found = suggest(record, {"m0": 1.0, "m1": 1.5, "m2": 1.0, "m3": 1.0}, budget=100.0)
    assert found is not None
    assert (found.models, found.price) == (("m0", "m2"), 2.0)
    assert suggest(record, {"m0": 1.0}, budget=100.0) is None, "one model is no panel"


def test_the_interval_of_effective_votes_covers_the_truth() -> None:
    """Members that copy a common source 40 % of the time: the interval holds the votes of a very large sample."""

    def drawn(n: int, seed: int) -> Ballots:
        rng = np.random.default_rng(seed)
        shared = rng.random(n) < 0.7
        own = rng.random((n, 4)) < 0.7
        right = np.where(rng.random((n, 4)) < 0.4, shared[:, None], own)
        return table(np.where(right, 0, 1), np.zeros(n))

    truth = mean_correlation(drawn(200_000, seed=0))
    assert truth is not None
    votes = effective_votes(4, truth)
    covered = 0
    for seed in range(1, 21):
        found = suggest(
            TrackRecord.of(drawn(400, seed)), dict.fromkeys(("m0", "m1", "m2", "m3"), 1.0), budget=9, size=4
        )
        assert found is not None
        low, high = found.interval
        assert low < found.effective_votes < high
        covered += low <= votes <= high
    assert covered >= 18


def test_nothing_is_suggested_without_labels() -> None:
    record = TrackRecord.of(table(np.zeros((0, 3), dtype=np.int64), []))
    assert suggest(record, {"m0": 1.0, "m1": 1.0}, budget=9.0) is None
