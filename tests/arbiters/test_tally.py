"""From comparisons to a decision, on hand-worked tables."""

from __future__ import annotations

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arbiters.tally import pair, tally


@pytest.mark.parametrize(
    ("first", "second", "outcome"),
    [
        ("a", "a", "a"),
        ("a", "b", "flip"),
        ("a", "tie", "flip"),
        ("tie", "tie", "tie"),
        ("none_correct", "none_correct", "none_correct"),
        ("a", "failed", "failed"),
        ("abstain", "a", "abstain"),
        ("abstain", "failed", "failed"),
    ],
)
def test_pair(first: str, second: str, outcome: str) -> None:
    assert pair(first, second) == outcome


def _said(*rows: str) -> dict[tuple[str, str], str]:
    """``"ab:a/b"``: shown a then b the judge says a, shown b then a it says b."""
    out = {}
    for row in rows:
        sides, _, decisions = row.partition(":")
        forth, _, back = decisions.partition("/")
        out[sides[0], sides[1]], out[sides[1], sides[0]] = forth, back
    return out


@pytest.mark.parametrize(
    ("rows", "decision"),
    [
        (("ab:a/a", "ac:a/a", "bc:none_correct/none_correct"), ("decided", "a")),
        (("ab:a/a", "ac:a/a", "bc:b/c"), ("decided", "a")),
        (("ab:a/a", "ac:c/c", "bc:b/b"), ("tie", None)),
        (("ab:a/b", "ac:a/a", "bc:b/b"), ("flip", None)),
        (("ab:a/a", "ac:failed/a", "bc:b/b"), ("failed", None)),
        (("ab:none_correct/none_correct", "ac:none_correct/none_correct", "bc:none_correct/none_correct"),
         ("none_correct", None)),
        (("ab:none_correct/none_correct", "ac:a/a", "bc:b/b"), ("tie", None)),
    ],
)  # fmt: skip
def test_three_candidates(rows: tuple[str, ...], decision: tuple[str, str | None]) -> None:
    assert tally(["a", "b", "c"], _said(*rows)) == decision


WORDS = st.sampled_from(["a", "b", "c", "tie", "none_correct", "abstain", "failed"])


@given(st.lists(WORDS, min_size=6, max_size=6))
def test_a_winner_won_all_its_pairs_in_both_orders(words: list[str]) -> None:
    said = dict(zip(permutations("abc", 2), words, strict=True))
    decision, winner = tally(["a", "b", "c"], said)
    assert (winner is not None) == (decision == "decided")
    if winner is not None:
        assert all(word == winner for order, word in said.items() if winner in order)
