"""JSON in a reply: the object with an ``answer`` member that the prompt asks for, or any JSON object."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from typing import Any

from consensus.json_limits import MAX_DEPTH, MAX_DIGITS

_OPENING = re.compile(r'\{\s{0,200}["}]')
_MAX_ATTEMPTS = 32
"""Places where a JSON object is tried. A bound, because each failed attempt may read to the end of the text."""
_MAX_OBJECTS = 200
"""A reply that holds more is a loop; the rest is not read."""
_LARGEST = 10 ** (MAX_DIGITS - 4)
"""An integer of more digits is too long for our own messages."""


class _Duplicate:
    """Stands for the value of a key that an object gives twice with different values."""


DUPLICATE = _Duplicate()


@dataclass(frozen=True)
class Found:
    """A JSON object and its place text[start:end]."""

    value: dict[str, Any]
    start: int
    end: int


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for key, value in pairs:
        out[key] = DUPLICATE if key in out and out[key] != value else value
    return out


_DECODER = json.JSONDecoder(object_pairs_hook=_object, strict=False)
"""Not strict: models write line breaks into strings as they are."""


def objects(text: str) -> list[Found]:
    """The outermost JSON objects of a reply, in order; at most a few are tried when they do not parse."""
    found: list[Found] = []
    position, attempts = 0, 0
    while (
        len(found) < _MAX_OBJECTS
        and attempts < _MAX_ATTEMPTS
        and (opening := _OPENING.search(text, position)) is not None
    ):
        try:
            value, end = _DECODER.raw_decode(text, opening.start())
        except (ValueError, RecursionError):
            # Not JSON, a number of thousands of digits, or nested too deeply: no structured answer here.
            attempts += 1
            position = opening.start() + 1
            continue
        if isinstance(value, dict) and _depth_within(value, MAX_DEPTH):
            found.append(Found(value, opening.start(), end))
        position = end
    return found


def _depth_within(value: Any, levels: int) -> bool:
    if levels == 0:
        return False
    if isinstance(value, dict):
        return all(_depth_within(item, levels - 1) for item in value.values())
    if isinstance(value, list):
        return all(_depth_within(item, levels - 1) for item in value)
    return True


def is_clean(value: Any) -> bool:
    """Whether a parsed value holds no duplicate key, non-finite or endless number, or lone surrogate."""
    if isinstance(value, dict):
        return all(is_clean(key) and is_clean(item) for key, item in value.items())
    if isinstance(value, list):
        return all(map(is_clean, value))
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, int):
        return bool(abs(value) < _LARGEST)
    if isinstance(value, str):
        return not any(0xD800 <= ord(c) < 0xE000 for c in value)
    return value is not DUPLICATE


def answers(text: str) -> list[Found]:
    """The JSON objects of a reply that have an ``answer`` member."""
    return [found for found in objects(text) if "answer" in found.value]


def prose_start(text: str) -> int:
    """Where explicit statements may begin: 0, but in a broken or unfinished JSON reply at its last ``answer`` member.

    What such a reply says before it is reasoning that was still going on.
    """
    if not looks_cut(text):
        return 0
    member = text.rfind('"answer"')
    return member if member >= 0 else len(text)


def looks_cut(text: str) -> bool:
    """Whether the reply starts a JSON object that it never finishes."""
    stripped = text.lstrip().removeprefix("```json").removeprefix("```").lstrip()
    return stripped.startswith("{") and _OPENING.match(stripped) is not None and not objects(text)
