"""What a request must keep beyond its types. One function for every edge, so that all of them refuse alike."""

from __future__ import annotations

import re
from typing import Any, get_args

from consensus import object_schema
from consensus.errors import Malformed
from consensus.json_limits import MAX_DEPTH, MAX_VALUES
from consensus.types import AnswerSpec, ChoiceSpec, LabelsSpec, ObjectSpec, Request

ANSWER_TYPES = frozenset(spec.model_fields["type"].default for spec in get_args(get_args(AnswerSpec)[0]))
_POINTER = re.compile(r"(?:/(?:[^/~]|~[01])*)*")


def check_request(request: Request) -> None:
    """Raise Malformed naming the field: blank text, an object schema that cannot be used, trees beyond the limits."""
    for name in ("id", "tenant", "domain", "prompt"):
        _check_text(getattr(request, name), name)
    for index, message in enumerate(request.messages or ()):
        _check_text(message.content, f"messages[{index}].content")
    if request.metadata is not None:
        _check_tree(request.metadata, "metadata")
    spec = request.answer
    if isinstance(spec, ChoiceSpec | LabelsSpec):
        _check_options(spec)
    elif isinstance(spec, ObjectSpec):
        _check_object(spec)


def _check_text(value: str | None, field: str) -> None:
    if value is None:
        return
    if not value.strip():
        raise Malformed("must not be blank", field=field, code="empty_text")
    if not value.isascii() and any(0xD800 <= ord(c) < 0xE000 for c in value):
        raise Malformed("holds half of a surrogate pair", field=field, code="lone_surrogate")


def _check_options(spec: ChoiceSpec | LabelsSpec) -> None:
    for index, option in enumerate(spec.options):
        _check_text(option.id, f"answer.options[{index}].id")
        _check_text(option.text, f"answer.options[{index}].text")


def _check_object(spec: ObjectSpec) -> None:
    _check_tree(spec.schema_, object_schema.FIELD)
    object_schema.validator(spec.schema_)
    for pointer in spec.weights or {}:
        _check_pointer(pointer, "answer.weights")
    for index, pointer in enumerate(spec.critical or ()):
        _check_pointer(pointer, f"answer.critical[{index}]")
    if spec.weights is not None and not any(weight > 0 for weight in spec.weights.values()):
        raise Malformed("at least one weight must be positive", field="answer.weights", code="out_of_range")


def _check_pointer(pointer: str, field: str) -> None:
    if not pointer or _POINTER.fullmatch(pointer) is None:
        raise Malformed(f"{pointer[:80]!r} is no JSON pointer to a member (/name)", field=field, code="bad_pointer")


def _check_tree(tree: Any, field: str) -> None:
    """Depth and count of values, for trees that did not come as JSON text. Not recursive: the tree may be deep."""
    pending, values = [(tree, 1)], 0
    while pending:
        node, depth = pending.pop()
        values += 1
        if depth > MAX_DEPTH:
            raise Malformed(f"nested more than {MAX_DEPTH} deep", field=field, code="too_deep")
        if values > MAX_VALUES:
            raise Malformed(f"more than {MAX_VALUES} values", field=field, code="too_many_values")
        children = node.values() if isinstance(node, dict) else node if isinstance(node, list | tuple) else ()
        pending.extend((child, depth + 1) for child in children)
