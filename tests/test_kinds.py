"""Disagreement kinds: the order of the tests, and each kind."""

from __future__ import annotations

from consensus.agreement import agree
from consensus.ballot import Ballot
from consensus.kinds import classify, degraded
from consensus.types import BallotEntry, Kind, LabelKind
from tests.ballots import ballot, entry, panel


def kind(found: Ballot, *, quorum: int = 2, marks: tuple[str, ...] = ()) -> Kind:
    agreement = agree(found, lambda _models: None)
    return classify(found, agreement, panel(len(found.entries), quorum), 0.9, marks)


def of(*entries: BallotEntry, open_set: bool = False) -> Ballot:
    return Ballot(entries, ("option-0", "option-1", "option-2"), open_set)


def test_one_cluster_is_none_and_open_wordings_are_stylistic() -> None:
    assert kind(ballot(0, 0, 0)) is Kind.NONE
    worded = of(entry("a", 0, label="five"), entry("b", 0, label="5"), open_set=True)
    assert kind(worded) is Kind.STYLISTIC


def test_two_clusters_are_reasoning_until_both_sides_are_sure() -> None:
    assert kind(ballot(0, 0, 1)) is Kind.REASONING
    raw = of(entry("a", 0, raw_confidence=0.99), entry("b", 1, raw_confidence=0.99))
    assert kind(raw) is Kind.REASONING  # uncalibrated confidence makes nobody sure
    sure = of(entry("a", 0, confidence=0.95), entry("b", 1, confidence=0.9))
    assert kind(sure) is Kind.HIGH_CONFIDENCE
    one_side = of(entry("a", 0, confidence=0.95), entry("b", 0, confidence=0.95), entry("c", 1, confidence=0.89))
    assert kind(one_side) is Kind.REASONING


def test_missing_quorum_or_families_is_degraded() -> None:
    lost = entry("b", None, kind=LabelKind.FAILED), entry("c", None, kind=LabelKind.TRUNCATED)
    assert kind(of(entry("a", 0), *lost)) is Kind.DEGRADED
    one_family = of(*(entry(name, 0, family="same") for name in "abc"))
    assert kind(one_family) is Kind.DEGRADED
    assert degraded(one_family, panel())


def test_half_refused_is_refusal_but_abstaining_is_not() -> None:
    refused = [entry(name, None, kind=LabelKind.REFUSED) for name in "cd"]
    assert kind(of(entry("a", 0), entry("b", 0), *refused)) is Kind.REFUSAL
    assert kind(of(entry("a", 0), entry("b", 0), entry("c", None), entry("d", None))) is Kind.NONE
    assert kind(of(*(entry(name, None, kind=LabelKind.REFUSED) for name in "abc"))) is Kind.REFUSAL


def test_nobody_with_an_answer_is_degraded() -> None:
    assert kind(ballot(None, None, None)) is Kind.DEGRADED


def test_a_refusing_panel_below_quorum_of_answers_is_marked_degraded() -> None:
    found = of(entry("a", 0), *(entry(name, None, kind=LabelKind.REFUSED) for name in "bc"))
    assert degraded(found, panel(3, quorum=2))


def test_a_detector_comes_before_everything() -> None:
    marked = of(entry("a", None, kind=LabelKind.ANSWER, label="option-0", marks=("canary",)), entry("b", 0))
    assert kind(marked) is Kind.ADVERSARIAL
    assert kind(ballot(0, 0, 0), marks=("instruction_in_context",)) is Kind.ADVERSARIAL


def test_not_asked_members_are_not_counted_as_refusing_or_missing() -> None:
    unasked = [entry(name, None, kind=LabelKind.NOT_ASKED) for name in "cde"]
    assert kind(of(entry("a", 0), entry("b", 0), *unasked)) is Kind.NONE
