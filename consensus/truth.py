"""What a ground truth says about a ballot: which candidate was right."""

from __future__ import annotations

from collections.abc import Sequence

from calibration.ballots import NONE_OF_THESE
from calibration.store.outcomes import UNUSABLE
from consensus import answers
from consensus.answers import Sameness
from consensus.errors import Malformed
from consensus.types import AnswerSpec, LabelValue, Signal, Status


def right_candidate(signal: Signal, label: LabelValue) -> int:
    """Which of a decision's candidates a ground truth says is right: see `right_among`."""
    return right_among(signal.answer, signal.candidates, label)


def right_among(spec: AnswerSpec, candidates: Sequence[LabelValue], label: LabelValue) -> int:
    """Index of the candidate that means the same as ``label``; NONE_OF_THESE where none does or ``label`` is ``None``.

    A label that the answer spec does not allow, or that may or may not mean one of the candidates, is UNUSABLE: a guess
    would be fitted as truth. Of several candidates within a number's tolerance the equal one, else the first.
    """
    if label is None:
        return NONE_OF_THESE
    try:
        value = answers.check(spec, label)
    except Malformed:
        return UNUSABLE
    if value in candidates:
        return candidates.index(value)
    found = [answers.sameness(spec, candidate, value) for candidate in candidates]
    if Sameness.SAME in found:
        return found.index(Sameness.SAME)
    return UNUSABLE if Sameness.UNDECIDED in found else NONE_OF_THESE


def released(signal: Signal) -> LabelValue:
    """The answer that the decision gave to its caller, ``None`` where it gave none."""
    if signal.status is Status.ACCEPTED:
        return signal.top
    if signal.status is Status.ARBITRATED and signal.arbitration is not None:
        return signal.arbitration.label
    return None


def contradicts(signal: Signal, label: LabelValue) -> bool:
    """Whether a usable ground truth says that the released answer was wrong; ``False`` in doubt."""
    answer = released(signal)
    if answer is None:
        return False
    if label is None:
        return True
    try:
        return answers.sameness(signal.answer, answer, answers.check(signal.answer, label)) is Sameness.DIFFERENT
    except Malformed:
        return False
