"""Stored outcomes and first signals → what each outcome says, and alarms for released answers that were wrong. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from calibration.store.alarms import Alarm, subject_of
from calibration.store.outcomes import FEEDBACK, Key, Recorded
from consensus import wire
from consensus.truth import contradicts, right_candidate
from consensus.types import LabelValue, Outcome, Signal, Stakes

SEVERITY = {Stakes.CRITICAL: 0, Stakes.HIGH: 1}
"""Of a released answer that a ground truth contradicts; lower stakes raise no alarm of their own."""


@dataclass
class Settled:
    """The outcomes of some requests with their truths, and the alarms that follow from them."""

    groups: dict[Key, list[Recorded]] = field(default_factory=dict)
    alarms: list[Alarm] = field(default_factory=list)


def settle(recorded: Mapping[Key, list[Recorded]], firsts: Mapping[Key, bytes]) -> Settled:
    """Work out the truths anew. An outcome whose request has no signal in ``firsts`` keeps none."""
    settled = Settled()
    for key, group in recorded.items():
        if key not in firsts:
            settled.groups[key] = group
            continue
        signal = wire.read_own(Signal, firsts[key])
        labels = [wire.read_own(Outcome, one.raw).label for one in group]
        pairs = list(zip(group, labels, strict=True))
        settled.groups[key] = [one._replace(truth=right_candidate(signal, label)) for one, label in pairs]
        settled.alarms += _wrong(signal, pairs)
    return settled


def _wrong(signal: Signal, pairs: Sequence[tuple[Recorded, LabelValue]]) -> Iterator[Alarm]:
    """An alarm for every ground truth that contradicts an answer released at high or critical stakes."""
    severity = SEVERITY.get(signal.stakes)
    if severity is None:
        return
    for outcome, label in pairs:
        if outcome.source != FEEDBACK and contradicts(signal, label):
            yield Alarm(
                severity=severity,
                code="wrong_answer_released",
                subject=subject_of(signal.tenant, signal.request_id),
                detail=f"{outcome.source} {outcome.outcome_id} contradicts the released answer",
                cause=outcome.digest,
                raised_at=outcome.observed_at,
            )
