"""Who may arbitrate: a family that voted for no disputed candidate, with time and budget for every call."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations

from consensus.dispute import Candidate
from consensus.models.protocol import Budget

MAX_CANDIDATES = 4
"""Two candidates are compared as a pair, three or four as a round robin; more go to a person."""

Order = tuple[Candidate, Candidate]


def orders(candidates: Sequence[Candidate]) -> tuple[Order, ...]:
    """Every ordered pair: each pair is compared in both orders. Empty for fewer than two or too many candidates."""
    if not 2 <= len(candidates) <= MAX_CANDIDATES:
        return ()
    return tuple(permutations(candidates, 2))


def impartial(family: str, candidates: Sequence[Candidate]) -> bool:
    """Whether nobody of ``family`` voted for any of the disputed candidates."""
    return not any(family in candidate.families for candidate in candidates)


def affordable(calls: int, *, seconds_left: float, seconds_needed: float, budget: Budget) -> bool:
    """Whether ``calls`` comparisons, run side by side, fit into what is left. None to make is always affordable."""
    return calls == 0 or (seconds_left >= seconds_needed and budget.allows(calls))
