"""What a ground truth says about a ballot's candidates and about the answer that was released."""

from __future__ import annotations

from typing import Any

import pytest

from calibration.ballots import NONE_OF_THESE
from calibration.store.outcomes import UNUSABLE
from consensus.answers import Sameness
from consensus.truth import contradicts, released, right_candidate
from consensus.types import Signal
from tests.loop_records import signal


def of(spec: dict[str, Any], *candidates: Any, **changes: Any) -> Signal:
    return signal(answer=spec, candidates=list(candidates), ballot=[], **{"top": None, **changes})


NUMBER = {"type": "number", "abs_tolerance": 1.0}


@pytest.mark.parametrize(
    ("spec", "candidates", "label", "truth"),
    [
        ({"type": "boolean"}, (True, False), False, 1),
        (NUMBER, (10.0, 20.0), 20.5, 1),
        (NUMBER, (10.0, 11.0), 11.0, 1),
        (NUMBER, (10.0, 11.0), 10.5, 0),
        (NUMBER, (10.0, 20.0), 15.0, NONE_OF_THESE),
        (NUMBER, (), 15.0, NONE_OF_THESE),
        (NUMBER, (10.0,), None, NONE_OF_THESE),
        (NUMBER, (10.0,), "ten-ish", UNUSABLE),
        (NUMBER, (10.0,), [10.0], UNUSABLE),
    ],
    ids=["other option", "within tolerance", "equal before near", "first of the near", "none near", "no candidates",
         "nothing is right", "no number", "wrong type"],
)  # fmt: skip
def test_which_candidate_a_label_means(
    spec: dict[str, Any], candidates: tuple[Any, ...], label: Any, truth: int
) -> None:
    """An index, none of these, or nothing usable: never a guess."""
    assert right_candidate(of(spec, *candidates), label) == truth


def test_a_label_that_may_mean_a_candidate_is_unusable(monkeypatch: pytest.MonkeyPatch) -> None:
    """As long as nobody can say whether two texts mean the same, they are neither the truth nor its absence."""
    monkeypatch.setattr("consensus.truth.answers.sameness", lambda *_: Sameness.UNDECIDED)
    texts = of({"type": "text"}, "Paris, the capital")
    assert right_candidate(texts, "the French capital") == UNUSABLE
    assert not contradicts(texts.model_copy(update={"top": "Paris, the capital"}), "the French capital")


def test_what_was_released() -> None:
    """The leading label of an accepted decision, the arbiter's of an arbitrated one, otherwise nothing."""
    ruling = {"arbiter": "j", "family": "f", "decision": "decided", "label": "B"}
    assert released(signal()) == "A"
    assert released(signal(status="arbitrated", route="arbitrate", arbitration=ruling)) == "B"
    assert released(signal(status="pending_review", route="review")) is None


@pytest.mark.parametrize(("label", "wrong"), [("A", False), ("B", True), (None, True), ("Z", False)])
def test_what_contradicts_a_released_answer(label: str | None, wrong: bool) -> None:
    """Another option, or none; a label outside the spec says nothing."""
    assert contradicts(signal(), label) is wrong
