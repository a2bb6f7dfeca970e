"""Ballots compressed to the candidates that somebody voted for: what every vote-counting method works on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from calibration.ballots import Ballots

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Tally:
    """n ballots of m models over at most s = max distinct voted candidates, the *slots* of a ballot.

    slot        int (n, m): slot of each vote, -1 where there is no vote. Slots are numbered by first appearance.
    candidate   int (n, s): candidate behind each slot, -1 where the ballot has fewer slots.
    count       int (n, s): votes per slot, 0 where the ballot has fewer slots.
    right       bool (n, s): slots whose candidate is right; none where nobody voted for it or it is unknown.
    unvoted     int (n,): candidates that nobody voted for.
    """

    slot: Ints
    candidate: Ints
    count: Ints
    right: NDArray[np.bool_]
    unvoted: Ints

    @classmethod
    def of(cls, ballots: Ballots) -> Self:
        """Tally of a table; O(n m²), which for panels of tens of models is a few array operations."""
        votes = ballots.votes
        n, m = votes.shape
        slot = np.full((n, m), -1, dtype=np.int64)
        candidate = np.full((n, max(m, 1)), -1, dtype=np.int64)
        used = np.zeros(n, dtype=np.int64)
        for column in range(m):
            slot[:, column] = _slots_of(votes[:, column], candidate, used)
        count = np.stack([(slot == s).sum(axis=1) for s in range(candidate.shape[1])], axis=1)
        return cls(slot, candidate, count, ballots.right_at(candidate), ballots.candidates - used)

    def sum_by_slot(self, values: Floats) -> Floats:
        """Float (n, s): the (n, m) values of the votes added up per slot."""
        n, s = self.count.shape
        voted = self.slot >= 0
        flat = (np.arange(n)[:, None] * s + self.slot)[voted]
        return np.asarray(np.bincount(flat, weights=values[voted], minlength=n * s).reshape(n, s), dtype=np.float64)

    def at_votes(self, values: Floats) -> Floats:
        """Float (n, m): the (n, s) values read at each vote's slot, 0 where there is no vote."""
        read = np.take_along_axis(values, np.maximum(self.slot, 0), axis=1)
        return np.where(self.slot >= 0, read, 0.0)


def _slots_of(votes: Ints, candidate: Ints, used: Ints) -> Ints:
    """Slots of one column of votes; opens new slots in ``candidate`` and ``used`` in place."""
    known = (candidate == votes[:, None]) & (votes >= 0)[:, None]
    opens = (votes >= 0) & ~known.any(axis=1)
    candidate[opens, used[opens]] = votes[opens]
    slot = np.where(opens, used, known.argmax(axis=1))
    used += opens
    return np.where(votes >= 0, slot, -1)
