"""Ballot → agreement: how far the panel agrees, after discounting how often models err together."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from calibration.correlation import effective_votes_assumed
from consensus.ballot import Ballot


@dataclass(frozen=True)
class Agreement:
    """Statistics of one ballot.

    votes            models per candidate index.
    top              the candidate with most votes, ``None`` on a tie for the lead or without opinions.
    opinions         distinct models with an answer; ``families`` their families.
    entropy          of the vote shares, nats; 0 with one cluster or none.
    margin           (first − second) / opinions in [0, 1]; ``None`` without opinions.
    agreement        pairwise agreement corrected for chance 1/K (K options; open answers: chance 0) in [-1, 1];
                     ``None`` with fewer than two opinions, since one survivor agrees with nobody.
    effective_votes  how many independent votes the opinions are worth.
    """

    votes: dict[int, int]
    top: int | None
    opinions: int
    families: frozenset[str]
    entropy: float
    margin: float | None
    agreement: float | None
    effective_votes: float
    effective_votes_source: Literal["fitted", "assumed"]

    @property
    def clusters(self) -> int:
        return len(self.votes)


def agree(ballot: Ballot, fitted: Callable[[tuple[str, ...]], float | None]) -> Agreement:
    """Measure a ballot. ``fitted`` gives the effective votes of some models by a snapshot, or ``None`` if it cannot."""
    votes = ballot.votes()
    n = sum(votes.values())
    ranked = sorted(votes.values(), reverse=True)
    lead = ranked[0] - (ranked[1] if len(ranked) > 1 else 0) if ranked else 0
    worth = fitted(tuple(entry.model for entry in ballot.opinions)) if n else 0.0
    return Agreement(
        votes=votes,
        top=max(votes, key=votes.__getitem__) if lead else None,
        opinions=n,
        families=frozenset(entry.family for entry in ballot.opinions),
        entropy=-sum(c / n * math.log(c / n) for c in ranked) + 0.0 if len(ranked) > 1 else 0.0,
        margin=lead / n if n else None,
        agreement=_beyond_chance(ranked, n, 0.0 if ballot.open_set else 1 / len(ballot.candidates)),
        effective_votes=effective_votes_assumed(n) if worth is None else worth,
        effective_votes_source="assumed" if worth is None or not n else "fitted",
    )


def _beyond_chance(counts: list[int], n: int, chance: float) -> float | None:
    if n < 2:
        return None
    observed = sum(c * (c - 1) for c in counts) / (n * (n - 1))
    return (observed - chance) / (1 - chance)
