"""An arbiter's reply is hostile text until code has found one offered decision in it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arbiters.reading import read

ALLOWED = {"x1", "x2", "tie", "none_correct", "abstain"}


@pytest.mark.parametrize(
    "text",
    [
        '{"reasoning": "r", "decision": "x1"}',
        '```json\n{"reasoning": "r", "decision": "x1"}\n```',
        'First I think.\n{"reasoning": "r", "decision": "x1"} Done.',
        '{"reasoning": "r", "decision": "x1"} {"reasoning": "s", "decision": "x1"}',
    ],
)
def test_one_offered_decision_is_read(text: str) -> None:
    reply = read(text, ALLOWED)
    assert reply is not None
    assert (reply.decision, reply.reasoning) == ("x1", "r")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x1",
        '{"decision": "x3"}',
        '{"decision": ["x1"]}',
        '{"decision": null}',
        '{"reasoning": "x1"}',
        '{"decision": "X1"}',
        '{"decision": "x1"} no, {"decision": "x2"}',
        '{"decision": "x1", "decision": "x2"}',
        '{"decision": "x1"',
    ],
)
def test_anything_else_is_no_decision(text: str) -> None:
    assert read(text, ALLOWED) is None


def test_reasoning_is_bounded_and_loses_invisible_characters() -> None:
    reply = read('{"decision": "tie", "reasoning": "a\\u202eb' + "c" * 5_000 + '"}', ALLOWED)
    assert reply is not None
    assert reply.reasoning.startswith("abc")
    assert len(reply.reasoning) == 2_000


@given(st.text())
def test_no_text_raises(text: str) -> None:
    reply = read(text, ALLOWED)
    assert reply is None or reply.decision in ALLOWED
