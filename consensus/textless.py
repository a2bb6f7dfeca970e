"""Messages without their texts: what an erasure leaves of them. Pure.

Statistics stay: which candidate each member chose, the posterior, the route, which candidate proved right. Candidates
become ``erased 1``, ``erased 2`` …; an outcome names one of those, so that it still says what it said.
"""

from __future__ import annotations

from collections.abc import Sequence

from calibration.ballots import NONE_OF_THESE
from consensus.types import Arbitration, BallotEntry, LabelKind, LabelValue, Outcome, Signal, TextSpec

OTHER = "erased"
"""An answer that was none of the candidates."""


def signal(original: Signal) -> Signal:
    """The signal with every text replaced; doing it again changes nothing."""
    names = [name(index) for index in range(len(original.candidates))]
    return original.model_copy(
        update={
            "answer": TextSpec(equivalence="exact"),
            "candidates": tuple(names),
            "ballot": tuple(_entry(entry) for entry in original.ballot),
            "top": _named(original.candidates, original.top),
            "arbitration": _arbitration(original.arbitration, original.candidates),
        }
    )


def outcome(original: Outcome, truth: int | None) -> Outcome:
    """The outcome with a label that means the same candidate of the textless signal.

    ``truth`` as in `calibration.store.outcomes`; one that could not be used, or whose signal never came, stays so.
    """
    label: LabelValue = False  # no text: unusable
    if truth is not None and truth >= 0:
        label = name(truth)
    elif truth == NONE_OF_THESE:
        label = None
    return original.model_copy(update={"label": label})


def name(index: int) -> str:
    """What stands for a candidate, counted from 0."""
    return f"erased {index + 1}"


def _entry(entry: BallotEntry) -> BallotEntry:
    if entry.label_kind is not LabelKind.ANSWER:
        return entry
    return entry.model_copy(update={"label": OTHER if entry.cluster is None else name(entry.cluster)})


def _arbitration(ruling: Arbitration | None, candidates: Sequence[LabelValue]) -> Arbitration | None:
    if ruling is None:
        return None
    return ruling.model_copy(update={"label": _named(candidates, ruling.label), "rationale": None})


def _named(candidates: Sequence[LabelValue], label: LabelValue) -> LabelValue:
    if label is None:
        return None
    return name(candidates.index(label)) if label in candidates else OTHER
