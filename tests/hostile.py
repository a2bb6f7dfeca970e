"""Records that must end as dead letters, each naming its fault; over gRPC the same requests are refused.

``CASES`` maps a name to the record's value and to the code and field that the error must give. ``good(i)`` are the
records to mix them with.
"""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Case:
    """One hostile record. ``message`` is the request as JSON where it parses: the one to put into a proto."""

    value: bytes | None
    code: str
    field: str
    message: dict[str, Any] | None = None


CHOICE = {"type": "choice", "options": [{"id": "A", "text": "approve"}, {"id": "B", "text": "deny"}]}


def good(number: int) -> bytes:
    """A well-formed request."""
    return json.dumps(_request(id=f"good-{number}")).encode()


def _request(**changes: Any) -> dict[str, Any]:
    base = {"id": "hostile", "domain": "loans", "stakes": "high", "prompt": "Approve the loan?", "answer": CHOICE}
    return {key: value for key, value in (base | changes).items() if value is not ...}


def _case(code: str, field: str, **changes: Any) -> Case:
    message = _request(**changes)
    return Case(json.dumps(message).encode(), code, field, message)


def _raw(code: str, field: str, old: str, new: str) -> Case:
    text = json.dumps(_request())
    assert old in text
    return Case(text.replace(old, new, 1).encode("utf-8", "surrogatepass"), code, field)


def _options(count: int) -> dict[str, Any]:
    return {"type": "choice", "options": [f"option {i}" for i in range(count)]}


def _object(schema: Any, **more: Any) -> dict[str, Any]:
    return {"type": "object", "schema": schema, **more}


def _doubling(levels: int) -> dict[str, Any]:
    """A schema that looks at one value 2^levels times."""
    defs: dict[str, Any] = {f"a{i}": {"allOf": [{"$ref": f"#/$defs/a{i + 1}"}] * 2} for i in range(levels)}
    return {"$defs": defs | {f"a{levels}": {"type": "object"}}, "$ref": "#/$defs/a0"}


def _pattern(pattern: str) -> dict[str, Any]:
    return _object({"type": "object", "properties": {"name": {"type": "string", "pattern": pattern}}})


CASES: dict[str, Case] = {
    # The record as a whole.
    "null value": Case(None, "null_value", "value"),
    "empty value": Case(b"", "empty_value", "value"),
    "not JSON": Case(b"approve the loan", "not_json", "value"),
    "cut off": Case(good(0)[:-5], "not_json", "value"),
    "a JSON array": Case(b"[1,2,3]", "wrong_type", "value"),
    "a bare number": Case(b"42", "wrong_type", "value"),
    "not UTF-8": Case(b'{"id":"\xff\xfe"}', "not_utf8", "value"),
    "UTF-16": Case(json.dumps(_request()).encode("utf-16"), "not_utf8", "value"),
    "schema-registry frame": Case(b"\x00\x00\x00\x00\x07" + good(0), "schema_registry_frame", "value"),
    "compressed": Case(gzip.compress(good(0)), "compressed_value", "value"),
    "over the size limit": Case(json.dumps(_request(prompt="x" * 1_000_001)).encode(), "too_large", "value"),
    "two documents": Case(good(0) + good(1), "not_json", "value"),
    # Limits before parsing.
    "10,000 deep": _raw("too_deep", "metadata[0]", '"high"', '"high","metadata":' + "[" * 10_000 + "]" * 10_000),
    "10,000 open brackets": Case(b"[" * 10_000, "too_deep", "[0][0]"),
    "100,000 values": _case("too_many_values", "metadata.a", metadata={"a": [0] * 100_000}),
    "duplicate key": _raw("duplicate_key", "stakes", '"high"', '"high","stakes":"low"'),
    "duplicate key, escaped": _raw("duplicate_key", "stakes", '"high"', '"high","st\\u0061kes":"low"'),
    "NaN": _raw("not_finite", "deadline_ms", '"high"', '"high","deadline_ms":NaN'),
    "infinity": _raw("not_finite", "metadata.a", '"high"', '"high","metadata":{"a":-Infinity}'),
    "1e999": _raw("not_finite", "deadline_ms", '"high"', '"high","deadline_ms":1e999'),
    "400 digits": _raw("too_many_digits", "deadline_ms", '"high"', '"high","deadline_ms":' + "9" * 400),
    "lone surrogate": _raw("lone_surrogate", "prompt", "Approve", "\\ud800 Approve"),
    "lone surrogate in an id": _raw("lone_surrogate", "id", "hostile", "hostile \\udfff"),
    # Fields of the contract.
    "missing id": _case("missing_field", "id", id=...),
    "empty id": _case("empty_text", "id", id=""),
    "blank id": _case("empty_text", "id", id="   "),
    "id with control characters": _case("invalid_value", "id", id="a\nb\x00"),
    "id over 256 bytes": _case("invalid_value", "id", id="ü" * 129),
    "id is a number": _case("wrong_type", "id", id=7),
    "unknown stakes": _case("unknown_value", "stakes", stakes="enormous"),
    "enum in capitals": _case("unknown_value", "stakes", stakes="HIGH"),
    "missing domain": _case("missing_field", "domain", domain=...),
    "neither prompt nor messages": _case("invalid_value", "prompt", prompt=...),
    "both prompt and messages": _case("invalid_value", "prompt", messages=[{"role": "user", "content": "Hi"}]),
    "blank prompt": _case("empty_text", "prompt", prompt=" \n "),
    "prompt is an object": _case("wrong_type", "prompt", prompt={"text": "Approve?"}),
    "unknown role": _case(
        "unknown_value", "messages[0].role", prompt=..., messages=[{"role": "root", "content": "obey"}]
    ),
    "negative deadline": _case("out_of_range", "deadline_ms", deadline_ms=-1),
    "deadline of zero": _case("out_of_range", "deadline_ms", deadline_ms=0),
    "deadline as text": _case("wrong_type", "deadline_ms", deadline_ms="soon"),
    # Answer specs.
    "missing answer": _case("missing_field", "answer", answer=...),
    "unknown answer type": _case("unknown_answer_type", "answer.type", answer={"type": "essay"}),
    "no answer type": _case("unknown_answer_type", "answer.type", answer={"options": ["a", "b"]}),
    "no options": _case("missing_field", "answer.options", answer={"type": "choice"}),
    "empty options": _case("too_few", "answer.options", answer=_options(0)),
    "one option": _case("too_few", "answer.options", answer=_options(1)),
    "10,000 options": _case("too_many", "answer.options", answer=_options(10_000)),
    "two options with one id": _case(
        "invalid_value", "answer.options", answer={"type": "choice", "options": ["a", "a"]}
    ),
    "blank option": _case("empty_text", "answer.options[1].id", answer={"type": "labels", "options": ["a", " "]}),
    "option is a number": _case("wrong_type", "answer.options[1]", answer={"type": "choice", "options": ["a", 2]}),
    "negative tolerance": _case("out_of_range", "answer.abs_tolerance", answer={"type": "number", "abs_tolerance": -1}),
    "unknown equivalence": _case(
        "unknown_value", "answer.equivalence", answer={"type": "text", "equivalence": "embedding"}
    ),
    # Object schemas.
    "schema is a list": _case("wrong_type", "answer.schema", answer=_object([])),
    "schema that is invalid": _case("bad_schema", "answer.schema", answer=_object({"type": "objekt"})),
    "schema that refers to a URL": _case(
        "remote_reference", "answer.schema", answer=_object({"$ref": "http://169.254.169.254/latest/meta-data"})
    ),
    "schema that refers to a file": _case(
        "remote_reference", "answer.schema", answer=_object({"properties": {"a": {"$ref": "file:///etc/passwd"}}})
    ),
    "schema that refers to nothing": _case("bad_schema", "answer.schema", answer=_object({"$ref": "#/$defs/nobody"})),
    "catastrophic pattern": _case("catastrophic_pattern", "answer.schema", answer=_pattern("^(a+)+$")),
    "catastrophic alternatives": _case("catastrophic_pattern", "answer.schema", answer=_pattern("^(a|aa)+$")),
    "pattern of gigabytes": _case("bad_schema", "answer.schema", answer=_pattern("((a{1000}){1000}){1000}")),
    "pattern that is broken": _case("bad_schema", "answer.schema", answer=_pattern("(")),
    "schema that doubles": _case("schema_too_complex", "answer.schema", answer=_object(_doubling(40))),
    "weight of a non-pointer": _case("bad_pointer", "answer.weights", answer=_object({}, weights={"amount": 1})),
    "weights of zero": _case("out_of_range", "answer.weights", answer=_object({}, weights={"/amount": 0})),
    "critical non-pointer": _case("bad_pointer", "answer.critical[0]", answer=_object({}, critical=["amount"])),
}
"""All of them raise in `consensus.wire.read(Request, …)`."""

UNKNOWN_POLICY = _case("unknown_policy", "policy", policy="nobody-wrote-this")
"""Needs the policies to be told from a good one: raised by `consensus.policy.select`."""
