"""What the members that are still silent might say, so that nobody waits for votes that cannot change the route. Pure.

Of a closed question everything that can be said is known: an option, with or without a confidence that counts, or one
of a few ways to say nothing. That a reply sets off a detector is not tried out: a member that is never asked sets off
none either.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from itertools import product

from consensus.ballot import Ballot
from consensus.types import BallotEntry, LabelKind

MOST = 64
"""Ballots that are looked at: more cost more than waiting for one more vote, after which there are fewer."""

SILENT = (LabelKind.ABSTAINED, LabelKind.REFUSED, LabelKind.TRUNCATED, LabelKind.FAILED, LabelKind.CANCELLED)
"""Ways to give no answer that differ in what they count for. Conflicting counts as abstained, invalid as truncated."""


def possible(ballot: Ballot, waiting: Collection[str], sure: Collection[str]) -> Iterator[Ballot] | None:
    """Every ballot that can come of one whose members ``waiting`` have not answered yet, the one without them first.

    ``sure``: members whose own confidence is calibrated: each of their answers is tried with the highest confidence,
    too. ``None`` where what can be said is not known (open questions), or is more than `MOST` ballots.
    """
    at = [index for index, entry in enumerate(ballot.entries) if entry.model in waiting]
    said = [_sayings(ballot, ballot.entries[index], ballot.entries[index].model in sure) for index in at]
    count = 1
    for sayings in said:
        count *= len(sayings)
    return None if ballot.open_set or count > MOST else _ballots(ballot, at, said)


def _ballots(ballot: Ballot, at: Sequence[int], said: Sequence[Sequence[BallotEntry]]) -> Iterator[Ballot]:
    for combination in product(*said):
        entries = list(ballot.entries)
        for index, entry in zip(at, combination, strict=True):
            entries[index] = entry
        yield replace(ballot, entries=tuple(entries))


def _sayings(ballot: Ballot, entry: BallotEntry, sure: bool) -> list[BallotEntry]:
    """All that one member might say; cancelled, which is what becomes of it without an answer, comes first."""
    silent = [entry.model_copy(update={"label_kind": kind}) for kind in reversed(SILENT)]
    answers = [
        entry.model_copy(
            update={"label_kind": LabelKind.ANSWER, "label": label, "cluster": index, "confidence": confidence}
        )
        for index, label in enumerate(ballot.candidates)
        for confidence in ((None, 1.0) if sure else (None,))
    ]
    return [*silent, *answers]
