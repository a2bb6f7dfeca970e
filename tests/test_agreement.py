"""Agreement, worked by hand."""

from __future__ import annotations

import math

import pytest

from consensus.agreement import agree
from consensus.ballot import Ballot
from tests.ballots import ballot, entry


def unfitted(_models: tuple[str, ...]) -> None:
    return None


def test_three_against_one() -> None:
    """Pairs that agree: 3 of 6; beyond chance 1/4: (1/2 − 1/4) / (3/4) = 1/3."""
    found = agree(ballot(0, 0, 0, 1), unfitted)
    assert found.votes == {0: 3, 1: 1}
    assert found.top == 0
    assert found.margin == pytest.approx(0.5)
    assert found.entropy == pytest.approx(-(0.75 * math.log(0.75) + 0.25 * math.log(0.25)))
    assert found.agreement == pytest.approx(1 / 3)


def test_unanimous() -> None:
    found = agree(ballot(2, 2, 2), unfitted)
    assert (found.top, found.entropy, found.margin, found.agreement) == (2, 0.0, 1.0, 1.0)


def test_all_tied_is_not_agreement() -> None:
    """Nobody leads, and agreement is as far below chance as four candidates allow: −1/3."""
    found = agree(ballot(0, 1, 2), unfitted)
    assert found.top is None
    assert found.margin == 0.0
    assert found.agreement == pytest.approx(-1 / 3)


def test_a_tie_for_the_lead_has_no_top_in_any_order() -> None:
    assert agree(ballot(0, 0, 1, 1, 2), unfitted).top is None
    assert agree(ballot(2, 1, 1, 0, 0), unfitted).top is None


def test_one_survivor_is_not_a_consensus() -> None:
    """One opinion leads nobody else: agreement is unknown, not 1."""
    found = agree(ballot(1, None, None), unfitted)
    assert (found.opinions, found.top, found.agreement) == (1, 1, None)
    assert found.effective_votes == 1.0


def test_no_opinions() -> None:
    found = agree(ballot(None, None), unfitted)
    assert (found.opinions, found.top, found.margin, found.agreement, found.entropy) == (0, None, None, None, 0.0)
    assert found.effective_votes == 0.0


def test_the_same_model_under_two_aliases_counts_once() -> None:
    """Same family and version: the second name brings no second vote."""
    twins = (
        entry("a", 0),
        entry("alias", 0, family="family-a", model_version="a-v1"),
        entry("b", 1),
    )
    found = agree(Ballot(twins, ("x", "y"), open_set=False), unfitted)
    assert found.votes == {0: 1, 1: 1}
    assert found.top is None


def test_open_answers_have_no_chance_agreement() -> None:
    """Two pairs of six agree, chance is 0: 1/3."""
    assert agree(ballot(0, 0, 1, 1, open_set=True), unfitted).agreement == pytest.approx(1 / 3)


def test_effective_votes_are_assumed_until_fitted() -> None:
    """Nine votes at an assumed error correlation of .43 are worth 9 / (1 + 8 · .43) = 2.03."""
    found = agree(ballot(*[0] * 9), unfitted)
    assert found.effective_votes == pytest.approx(9 / (1 + 8 * 0.43))
    assert found.effective_votes_source == "assumed"
    fitted = agree(ballot(0, 0, 1), lambda models: 1.5 if models == ("a", "b", "c") else None)
    assert (fitted.effective_votes, fitted.effective_votes_source) == (1.5, "fitted")
