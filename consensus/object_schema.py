"""JSON Schemas that a request brings along: compiled without network, without backtracking, once."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import jsonschema_rs

from consensus.errors import Malformed

_REGEX_BYTES = 1 << 20
"""Bound on a compiled pattern: `a{1000}{1000}` asks for gigabytes."""
FIELD = "answer.schema"


def validator(schema: Mapping[str, Any]) -> jsonschema_rs.Validator:
    """The schema's validator, kept for the next answers. Raises Malformed (field ``answer.schema``)."""
    return _compiled(json.dumps(schema, sort_keys=True))


@lru_cache(maxsize=256)
def _compiled(text: str) -> jsonschema_rs.Validator:
    schema = json.loads(text)
    _check_references(schema)
    try:
        return jsonschema_rs.validator_for(
            schema,
            offline=True,
            validate_formats=False,
            pattern_options=jsonschema_rs.RegexOptions(size_limit=_REGEX_BYTES, dfa_size_limit=_REGEX_BYTES),
        )
    except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError) as error:
        raise Malformed(f"is not a valid JSON Schema: {_first_line(error)}", field=FIELD, code="bad_schema") from None


def _check_references(node: Any) -> None:
    """Refuse a reference to anything but the schema itself."""
    if isinstance(node, list):
        for item in node:
            _check_references(item)
    if not isinstance(node, dict):
        return
    for key, value in node.items():
        if key in ("$ref", "$dynamicRef", "$recursiveRef") and isinstance(value, str) and not value.startswith("#"):
            raise Malformed("refers to another document; only #… is allowed", field=FIELD, code="remote_reference")
        _check_references(value)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
