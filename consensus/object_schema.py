"""JSON Schemas that a request brings along: compiled once, without network, without backtracking, within bounds."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

import jsonschema_rs

from consensus.errors import Malformed
from consensus.json_limits import MAX_DEPTH
from consensus.patterns import catastrophic
from consensus.schema_cost import Cost, TooComplex

FIELD = "answer.schema"
_REGEX_BYTES = 1 << 20
"""Bound on a compiled pattern: ``a{1000}{1000}`` asks for gigabytes."""
_REFERENCES = ("$ref", "$dynamicRef", "$recursiveRef")


def validator(schema: Mapping[str, Any]) -> jsonschema_rs.Validator:
    """The schema's validator, kept for the next answers. Raises Malformed (field ``answer.schema``).

    Codes: ``remote_reference``, ``catastrophic_pattern``, ``schema_too_complex``, ``bad_schema``.
    """
    return _compiled(json.dumps(schema, sort_keys=True))


@lru_cache(maxsize=256)
def _compiled(text: str) -> jsonschema_rs.Validator:
    schema = json.loads(text)
    for node in _nodes(schema):
        _check_references(node)
        _check_patterns(node)
    try:
        Cost(schema).check(MAX_DEPTH)
        options = jsonschema_rs.RegexOptions(size_limit=_REGEX_BYTES, dfa_size_limit=_REGEX_BYTES)
        return jsonschema_rs.validator_for(schema, offline=True, validate_formats=False, pattern_options=options)
    except TooComplex:
        raise Malformed("costs too much to evaluate", field=FIELD, code="schema_too_complex") from None
    except (jsonschema_rs.ReferencingError, ValueError) as error:
        raise Malformed(f"is not a valid JSON Schema: {_first_line(error)}", field=FIELD, code="bad_schema") from None


def _nodes(node: Any) -> Iterator[Mapping[str, Any]]:
    """All objects within the schema."""
    pending = [node]
    while pending:
        item = pending.pop()
        if isinstance(item, dict):
            yield item
            pending.extend(item.values())
        elif isinstance(item, list):
            pending.extend(item)


def _check_references(node: Mapping[str, Any]) -> None:
    for key in _REFERENCES:
        value = node.get(key)
        if isinstance(value, str) and not value.startswith("#"):
            raise Malformed("refers to another document; only #… is allowed", field=FIELD, code="remote_reference")


def _check_patterns(node: Mapping[str, Any]) -> None:
    pattern, by_pattern = node.get("pattern"), node.get("patternProperties")
    patterns = [pattern] if isinstance(pattern, str) else []
    patterns += list(by_pattern) if isinstance(by_pattern, dict) else []
    if any(map(catastrophic, patterns)):
        reason = "a pattern is too long, or repeats a repetition: exponential time where engines backtrack"
        raise Malformed(reason, field=FIELD, code="catastrophic_pattern")


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
