"""Bytes ⇄ messages for every edge (Kafka, files, stored decisions), with the limits that come before parsing."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from consensus import contract, json_limits
from consensus.contract import check_request
from consensus.errors import Malformed
from consensus.types import Outcome, Request, Ruling

__all__ = ["check_request", "fault", "payload_hash", "read", "read_own", "write"]

M = TypeVar("M", bound=BaseModel)

_FROM_OUTSIDE = (Request, Ruling, Outcome)
"""Messages that others write; all the rest is our own."""

_CODES = {
    "json_invalid": "not_json",
    "missing": "missing_field",
    "extra_forbidden": "unknown_field",
    "enum": "unknown_value",
    "literal_error": "unknown_value",
    "union_tag_invalid": "unknown_answer_type",
    "union_tag_not_found": "unknown_answer_type",
    "too_short": "too_few",
    "too_long": "too_many",
    "string_too_short": "empty_text",
    "string_too_long": "too_long",
    "greater_than": "out_of_range",
    "greater_than_equal": "out_of_range",
    "less_than": "out_of_range",
    "less_than_equal": "out_of_range",
    "finite_number": "not_finite",
    "value_error": "invalid_value",
    "model_type": "wrong_type",
    "model_attributes_type": "wrong_type",
}
"""pydantic's error types to our stable codes; every ``*_type`` and ``*_parsing`` is ``wrong_type``."""

_OWN_ERROR = re.compile(r"Value error, (?:(?P<member>[a-z_]{1,40}): )?(?P<reason>.{0,1000})", re.DOTALL)
"""What validators of whole messages in `consensus.types` write: the member at fault, then the reason."""


def read(kind: type[M], value: bytes | None) -> M:
    """Parse one JSON message. Raises Malformed with a stable code, naming the field (``value`` for the whole record).

    Limits come first (`json_limits`), then the contract of the type, then what only a request can break (`contract`).
    """
    limits = json_limits.OUTSIDE if issubclass(kind, _FROM_OUTSIDE) else json_limits.OWN
    text = json_limits.text_of(value, limits)
    json_limits.check(text, limits)
    message = read_own(kind, text)
    if isinstance(message, Request):
        contract.check_request(message)
    return message


def read_own(kind: type[M], value: bytes | str | None) -> M:
    """Parse one message that this service wrote, at a fifth of the price: its limits held when it was made.

    Raises Malformed like `read`.
    """
    try:
        return kind.model_validate_json(value or "")
    except ValidationError as error:
        raise _malformed(error) from None


def fault(error: ValidationError) -> tuple[tuple[int | str, ...], str, str]:
    """The first fault that pydantic found: its location (with answer types as tags), the reason, our stable code."""
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    kind = str(first["type"])
    code = _CODES.get(kind, "wrong_type" if kind.endswith(("_type", "_parsing")) else "invalid_value")
    named = _OWN_ERROR.fullmatch(first["msg"])
    if named is None:
        return first["loc"], first["msg"], code
    member = () if named["member"] is None else (named["member"],)
    return (*first["loc"], *member), named["reason"], code


def _malformed(error: ValidationError) -> Malformed:
    location, reason, code = fault(error)
    return Malformed(reason, field=_path(location, code), code=code)


def _path(location: tuple[int | str, ...], code: str) -> str:
    """The field as JSON has it: pydantic adds the answer type's tag after ``answer``, which no document holds."""
    steps = list(location)
    if steps[:1] == ["answer"] and len(steps) > 1 and steps[1] in contract.ANSWER_TYPES:
        del steps[1]
    if code == "unknown_answer_type":
        steps.append("type")
    path = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps)
    return path.lstrip(".") or json_limits.WHOLE


def write(message: BaseModel) -> bytes:
    """The message's JSON in UTF-8; the same message always gives the same bytes."""
    return message.model_dump_json().encode()


def payload_hash(request: Request) -> str:
    """SHA-256 of the canonical payload: the request without ``metadata`` and ``deadline_ms``, keys sorted."""
    payload: dict[str, Any] = request.model_dump(mode="json", exclude={"metadata", "deadline_ms"})
    text = json.dumps(payload, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()
