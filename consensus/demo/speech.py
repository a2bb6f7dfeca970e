"""How simulated models put an answer into words, so that readers meet more than one form."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from consensus.types import AnswerSpec, BooleanSpec, LabelsSpec, NumberSpec, ObjectSpec, TextSpec


@dataclass(frozen=True)
class Reply:
    """The text of a reply and why it ended (``stop``, ``length``)."""

    text: str
    finish_reason: str = "stop"


REASONING = "This reply is simulated: nobody thought about it."


def spoken(style: str, spec: AnswerSpec, value: Any, confidence: float) -> Reply:
    """``value`` as the style says it: bare JSON (always for objects and texts), JSON in a code fence, or prose."""
    body = json.dumps({"reasoning": REASONING, "answer": value, "confidence": confidence})
    if style == "json" or isinstance(spec, ObjectSpec | TextSpec):
        return Reply(body)
    if style == "fenced":
        return Reply(f"Here is my answer.\n\n```json\n{body}\n```")
    return Reply(f"{REASONING} The answer is {_word(spec, value)}.\nConfidence: {round(confidence * 100)}%")


def _word(spec: AnswerSpec, value: Any) -> str:
    if isinstance(spec, BooleanSpec):
        return "yes" if value else "no"
    if isinstance(spec, LabelsSpec):
        return ", ".join(value) or "none"
    if isinstance(spec, NumberSpec) and spec.unit:
        return f"{value} {spec.unit}"
    return str(value)
