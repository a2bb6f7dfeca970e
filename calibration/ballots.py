"""Ballots as arrays: the one table that aggregators, calibrators and evaluation work on."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray


class NoVote(IntEnum):
    """Negative codes of `Ballots.votes`: labels that are no answer."""

    ABSTAINED = -1
    REFUSED = -2
    TRUNCATED = -3
    CONFLICTING = -4
    INVALID = -5
    FAILED = -6
    NOT_ASKED = -7
    CANCELLED = -8


UNKNOWN = -2
NONE_OF_THESE = -1


@dataclass(frozen=True)
class Ballots:
    """n ballots of m models.

    models       m names (columns), families: m names.
    domains      n names, "" for none in particular; answer_types: n names (``choice`` …); ids: n request ids.
    votes        int (n, m): candidate index in [0, candidates[i]) or a negative NoVote code.
    candidates   int (n,): number of candidates: options of a closed question, answer clusters of an open one.
    open_set     bool (n,): candidates are clusters, and the truth may be none of them.
    truth        int (n,): right candidate, NONE_OF_THESE (-1), or UNKNOWN (-2).
    confidence   float (n, m): each member's own raw confidence in [0, 1], NaN where it gave none.
    sources      the distinct origins of those confidences, each (source, model version, prompt hash); may be empty.
    source       int (n, m): index into ``sources``, -1 where there is none. ``None``: origins are unknown, and then no
                 member's own confidence can be calibrated, since mixed sources are never fitted by one curve.
    right        bool (n, w), w ≥ max candidates: every right candidate of open questions of which several may be, since
                 answers of one meaning are not always known to be the same. ``None``: ``truth`` alone is right. Where
                 a row has any, ``truth`` is one of them.
    """

    models: tuple[str, ...]
    families: tuple[str, ...]
    domains: tuple[str, ...]
    answer_types: tuple[str, ...]
    ids: tuple[str, ...]
    votes: NDArray[np.int64]
    candidates: NDArray[np.int64]
    open_set: NDArray[np.bool_]
    truth: NDArray[np.int64]
    confidence: NDArray[np.float64]
    sources: tuple[tuple[str, str, str], ...] = ()
    source: NDArray[np.int64] | None = None
    right: NDArray[np.bool_] | None = None

    def __post_init__(self) -> None:
        n, m = self.votes.shape
        rows = (len(self.domains), len(self.answer_types), len(self.ids), len(self.candidates), len(self.truth))
        if any(size != n for size in (*rows, len(self.open_set))) or self.confidence.shape != (n, m):
            raise ValueError("all columns of a Ballots table must have the same number of rows")
        if len(self.models) != m or len(self.families) != m:
            raise ValueError("votes must have one column per model")
        if n and (self.votes >= self.candidates[:, None]).any():
            raise ValueError("a vote must be smaller than the number of candidates")
        if self.source is not None and self.source.shape != (n, m):
            raise ValueError("source must have the shape of votes")
        if self.right is not None and (len(self.right) != n or self.right.shape[1] < self.candidates.max(initial=0)):
            raise ValueError("right must have a row per ballot and a column per candidate")

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> Ballots:
        """The ballots of the given row numbers or mask, in that order."""
        index = np.flatnonzero(rows) if rows.dtype == np.bool_ else rows
        chosen = index.tolist()
        return Ballots(
            self.models,
            self.families,
            tuple(self.domains[i] for i in chosen),
            tuple(self.answer_types[i] for i in chosen),
            tuple(self.ids[i] for i in chosen),
            self.votes[index],
            self.candidates[index],
            self.open_set[index],
            self.truth[index],
            self.confidence[index],
            self.sources,
            None if self.source is None else self.source[index],
            None if self.right is None else self.right[index],
        )

    def right_at(self, candidate: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Bool (n, k): whether each of the (n, k) candidates is right; negative ones are not."""
        if self.right is None:
            return np.asarray((candidate == self.truth[:, None]) & (candidate >= 0), dtype=np.bool_)
        at = np.minimum(np.maximum(candidate, 0), self.right.shape[1] - 1)
        found: NDArray[np.bool_] = np.take_along_axis(self.right, at, axis=1) & (candidate >= 0)
        return found

    def heard(self, models: Collection[str]) -> Ballots:
        """The same ballots as if only ``models`` had been asked; every other vote is `NoVote.NOT_ASKED`."""
        unasked = np.array([name not in models for name in self.models], dtype=np.bool_)
        votes = np.where(unasked[None, :], int(NoVote.NOT_ASKED), self.votes)
        return replace(self, votes=votes, confidence=np.where(unasked[None, :], np.nan, self.confidence))


def stack(parts: Sequence[Ballots]) -> Ballots:
    """Tables of the same models one under the other. Raises ValueError when their models or sources differ."""
    first = parts[0]
    if any(part.models != first.models or part.sources != first.sources for part in parts):
        raise ValueError("only tables of the same models and sources can be stacked")
    sources = [part.source for part in parts if part.source is not None]
    rights = [part.right for part in parts if part.right is not None]
    if len(sources) not in (0, len(parts)) or len(rights) not in (0, len(parts)):
        raise ValueError("either all tables or none must have sources, and either all or none right")
    return Ballots(
        first.models,
        first.families,
        sum((part.domains for part in parts), ()),
        sum((part.answer_types for part in parts), ()),
        sum((part.ids for part in parts), ()),
        np.concatenate([part.votes for part in parts]),
        np.concatenate([part.candidates for part in parts]),
        np.concatenate([part.open_set for part in parts]),
        np.concatenate([part.truth for part in parts]),
        np.concatenate([part.confidence for part in parts]),
        first.sources,
        np.concatenate(sources) if sources else None,
        np.concatenate(rights) if rights else None,
    )
