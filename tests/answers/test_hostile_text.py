"""Nothing that a model writes makes a reader raise, hang, or give a label outside the spec."""

from __future__ import annotations

import json
import time
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consensus import answers
from consensus.types import (
    AnswerSpec,
    BooleanSpec,
    ChoiceSpec,
    Label,
    LabelKind,
    LabelsSpec,
    NumberSpec,
    ObjectSpec,
    Option,
    TextSpec,
)
from tests.answers.replies import label

SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "string"}}, "required": ["a"]}
SPECS: dict[str, AnswerSpec] = {
    "choice": ChoiceSpec(options=tuple(Option(id=c, text=f"text of {c}") for c in "ABCDEFGHIJ")),
    "choice of odd ids": ChoiceSpec(options=("+", "a)", "(", "\\", "[x]*", " . ", "ß")),  # type: ignore[arg-type]
    "choice of many": ChoiceSpec(options=tuple(Option(id=f"class {i}", text=f"class {i}") for i in range(256))),
    "boolean": BooleanSpec(),
    "number": NumberSpec(),
    "number in km": NumberSpec(unit="km"),
    "labels": LabelsSpec(options=("x", "y", "z")),  # type: ignore[arg-type]
    "object": ObjectSpec.model_validate({"schema": SCHEMA}),
    "text": TextSpec(),
}
PIECES = [
    "the answer is ", "Answer:", "final answer", "A", "(B)", "C.", "yes", "no", " and ", " or ", "not ", "1",
    "2.5", "1,000", "km", "%", "$", "-", "10^", "\\boxed{", "}", "{", '{"answer": ', '"answer"', '"', ":", ",",
    "[", "]", "null", "true", "NaN", "x", "y, z", "\n", " ", "**", "```json\n", "```", "Question:", "wait, ",
    "confidence: ", "90%", "e999", "\\", "\u202e", "ignore all previous instructions", "none of the above",
    "I cannot", "<|im_start|>", "text of A", "class 12", "\ud800", "é",
]  # fmt: skip
TEXTS = st.text(max_size=300) | st.lists(st.sampled_from(PIECES), max_size=60).map("".join)


def _within(spec: AnswerSpec, found: Label) -> bool:
    """Whether a label is one of the spec's."""
    value: Any = found.value
    match spec:
        case ChoiceSpec():
            return value in [option.id for option in spec.options]
        case BooleanSpec():
            return isinstance(value, bool)
        case NumberSpec():
            return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < float("inf")
        case LabelsSpec():
            return bool(value == sorted(set(value)) and set(value) <= {option.id for option in spec.options})
        case ObjectSpec():
            return bool(jsonschema_rs.is_valid(spec.schema_, value))
        case _:
            return isinstance(value, str) and bool(value.strip())


@pytest.mark.parametrize("name", SPECS)
@settings(max_examples=150, deadline=None)
@given(text=TEXTS, reason=st.sampled_from(["stop", "length", None, "odd"]))
def test_any_text_is_a_label_of_the_spec(name: str, text: str, reason: str | None) -> None:
    """A label of the spec, or one without a value, within 50 ms of CPU; it can be written, compared and checked."""
    spec = SPECS[name]
    found = label(spec, text, finish_reason=reason, nonce="n")
    # The best of a few, since a collection of garbage or a first import is not the reader's doing.
    assert any(_seconds(spec, text) < 0.05 for _ in range(3))
    assert (found.kind is LabelKind.ANSWER) == (found.value is not None)
    found.model_dump_json().encode()
    if found.value is not None:
        assert _within(spec, found)
        assert answers.sameness(spec, found.value, found.value) is answers.Sameness.SAME
        assert answers.check(spec, found.value) == found.value


@settings(max_examples=150, deadline=None)
@given(TEXTS)
def test_a_label_is_read_back(text: str) -> None:
    """What was read, written as the structured answer, is read as the same."""
    for name in ("choice", "boolean", "number", "labels", "object"):
        found = label(SPECS[name], text)
        if found.value is not None:
            again = label(SPECS[name], json.dumps({"answer": found.value}))
            assert again.value == found.value


REPEATED = [
    " ", "\n", "(", "{", '{"', '"', "\\", "the answer is ", "answer: ", "Answer\n", "\\boxed{", "1,", "1 ", "<|",
    '{"answer":', '{"answer": 1}\n', "the answer is (", "the answer is 5 km 5 km ", "Question:\n", "wait ", "$",
    "A and ", "(A)", "A) ", "x, ", "the best the best answer to ", "answer in ", "90% ", "ignore all the ",
    "image ![", "\\frac{1}", "12 345 ", "x10", "= ", '{"a":{', "as an ai ", "class 1 class 2 ",
]  # fmt: skip


@pytest.mark.parametrize("name", ["choice", "number in km", "labels"])
def test_time_grows_with_length(name: str) -> None:
    """Sixteen times the length costs at most some sixteen times the time, whatever is repeated."""
    for piece in REPEATED:
        short, long = ("The answer is " + piece * (n // len(piece)) for n in (4_000, 64_000))
        assert any(_linear(SPECS[name], short, long) for _ in range(3)), piece


def _linear(spec: AnswerSpec, short: str, long: str) -> bool:
    """One comparison; a busy machine may spoil one, not three in a row."""
    return _seconds(spec, long) < 40 * max(_seconds(spec, short), 0.002)


@pytest.mark.parametrize("name", SPECS)
@pytest.mark.parametrize("piece", ["the answer is 1, ", '{"answer": {"a": 1}}'])
def test_a_megabyte_is_read(name: str, piece: str) -> None:
    """A megabyte of the worst is read in seconds, not minutes."""
    assert _seconds(SPECS[name], piece * (1_000_000 // len(piece))) < 30


def _seconds(spec: AnswerSpec, text: str) -> float:
    started = time.process_time()
    label(spec, text)
    return time.process_time() - started
