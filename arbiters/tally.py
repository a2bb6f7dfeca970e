"""Decisions of single comparisons → one decision. Pure. Any doubt decides nothing.

A pair counts only when both orders say the same (position bias: Zheng et al. 2023, doi:10.48550/arXiv.2306.05685). With
more than two candidates the winner must win all its pairs (Condorcet); a cycle is a tie.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Literal

Decision = Literal["decided", "flip", "tie", "none_correct", "abstain", "failed"]
DOUBTS: tuple[Decision, ...] = ("failed", "abstain", "flip", "tie", "none_correct")
"""What leaves a dispute undecided, the most telling first."""


def tally(ids: Sequence[str], said: Mapping[tuple[str, str], str]) -> tuple[Decision, str | None]:
    """The decision on candidates ``ids``, and the id of the winner when it is ``decided``.

    ``said`` maps every ordered pair to a candidate id or to failed, abstain, tie, none_correct.
    """
    pairs = {frozenset((a, b)): pair(said[a, b], said[b, a]) for a, b in combinations(ids, 2)}
    for winner in ids:
        if all(outcome == winner for members, outcome in pairs.items() if winner in members):
            return "decided", winner
    outcomes = set(pairs.values())
    for doubt in DOUBTS:
        if doubt in outcomes and (doubt != "none_correct" or len(outcomes) == 1):
            return doubt, None
    return "tie", None


def pair(first: str, second: str) -> str:
    """What two comparisons of one pair in opposite orders amount to: the same answer twice, a doubt, or a flip."""
    for doubt in ("failed", "abstain"):
        if doubt in (first, second):
            return doubt
    return first if first == second else "flip"
