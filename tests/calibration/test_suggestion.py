"""Suggested panels: independent evidence counts, copies and guessers do not."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from calibration import fitting, suggestion
from calibration.snapshot import Snapshot
from calibration.suggestion import evidence, suggest
from tests.calibration.tables import independent, table

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def snapshot() -> Snapshot:
    """m0 is best, m1 its copy, m2 a little worse and independent, m3 guesses."""
    base = independent(1500, [0.85, 0.75, 0.25], seed=3)
    votes = np.column_stack([base.votes[:, 0], base.votes[:, 0], base.votes[:, 1], base.votes[:, 2]])
    fitted = fitting.fit(table(votes, base.truth), fitted_at=NOW)
    assert fitted is not None
    return fitted


def test_a_copy_adds_next_to_nothing_and_an_independent_member_its_own_square(snapshot: Snapshot) -> None:
    alone = evidence(snapshot, ["m0"], "law")
    assert evidence(snapshot, ["m0", "m1"], "law") == pytest.approx(alone, rel=0.05)
    other = evidence(snapshot, ["m2"], "law")
    assert evidence(snapshot, ["m0", "m2"], "law") == pytest.approx(alone + other, rel=0.1)
    assert evidence(snapshot, [], "law") == 0.0


def test_the_least_redundant_panel_is_suggested(snapshot: Snapshot) -> None:
    found = suggest(snapshot, {f"m{j}": 1.0 for j in range(4)}, size=2, budget=10.0)
    assert found is not None
    assert found.models in {("m0", "m2"), ("m1", "m2")}
    assert found.price == 2.0
    assert found.effective_votes == pytest.approx(2.0, abs=0.2)


def test_the_budget_binds(snapshot: Snapshot) -> None:
    prices = {"m0": 5.0, "m1": 1.0, "m2": 1.0, "m3": 1.0}
    found = suggest(snapshot, prices, size=2, budget=2.0)
    assert found is not None
    assert found.models == ("m1", "m2")
    assert suggest(snapshot, prices, size=2, budget=1.0) is None
    assert suggest(snapshot, prices, size=9, budget=99.0) is None
    assert suggest(snapshot, {"stranger": 1.0}, size=1, budget=9.0) is None


def test_growing_a_panel_finds_the_same_where_both_can_be_done(
    snapshot: Snapshot, monkeypatch: pytest.MonkeyPatch
) -> None:
    prices = {f"m{j}": 1.0 for j in range(4)}
    every = suggest(snapshot, prices, size=3, budget=10.0)
    monkeypatch.setattr(suggestion, "_EXHAUSTIVE", 0)
    grown = suggest(snapshot, prices, size=3, budget=10.0)
    assert every is not None
    assert grown is not None
    assert grown.evidence == pytest.approx(every.evidence, rel=0.02)
    assert suggest(snapshot, prices, size=3, budget=2.0) is None
