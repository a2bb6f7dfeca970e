"""Ballot and agreement → disagreement kind. The first of seven tests that matches wins."""

from __future__ import annotations

from collections.abc import Sequence

from consensus.agreement import Agreement
from consensus.ballot import Ballot
from consensus.policy import PanelPolicy
from consensus.types import BallotEntry, Kind, LabelKind


def degraded(ballot: Ballot, panel: PanelPolicy) -> bool:
    """Whether fewer models or families than the quorum gave an answer. Such a ballot is never accepted (I4)."""
    return _too_few(ballot.opinions, panel)


def classify(ballot: Ballot, agreement: Agreement, panel: PanelPolicy, bar: float, marks: Sequence[str]) -> Kind:
    """The kind of disagreement.

    ``bar``: calibrated confidence from which a member counts as sure. ``marks``: codes of detectors that fired on the
    request's context; those that fired on replies are on the ballot.
    Abstaining and refusing models were heard, so they keep a panel from being *degraded*, unless nobody gave an answer
    and most did not refuse: then there is nothing to compare.
    """
    if marks or any(entry.marks for entry in ballot.entries):
        return Kind.ADVERSARIAL
    refused = [entry.label_kind for entry in ballot.entries].count(LabelKind.REFUSED)
    mostly_refused = refused > 0 and 2 * refused >= len(ballot.asked)
    # Whoever gave an answer was heard: with enough answers there are enough responses.
    unheard = degraded(ballot, panel) and _too_few(ballot.responses, panel)
    if unheard or (not agreement.opinions and not mostly_refused):
        return Kind.DEGRADED
    if mostly_refused:
        return Kind.REFUSAL
    if agreement.clusters == 1:
        return Kind.STYLISTIC if _surfaces(ballot) > 1 else Kind.NONE
    return Kind.HIGH_CONFIDENCE if _sure_and_opposed(ballot, bar) else Kind.REASONING


def _too_few(heard: Sequence[BallotEntry], panel: PanelPolicy) -> bool:
    return len(heard) < panel.quorum or len({entry.family for entry in heard}) < panel.min_families


def _surfaces(ballot: Ballot) -> int:
    """Different canonical labels within the one cluster: only open answers can have more than one."""
    return len({repr(entry.label) for entry in ballot.opinions})


def _sure_and_opposed(ballot: Ballot, bar: float) -> bool:
    """Whether members of two clusters are each sure by their *calibrated* confidence; unfitted is never sure."""
    sure = {e.cluster for e in ballot.opinions if e.confidence is not None and e.confidence >= bar}
    return len(sure) >= 2
