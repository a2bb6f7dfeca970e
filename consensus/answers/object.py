"""A JSON object of a given schema. Canonical value: the object, valid, its fields in the types of the schema."""

from __future__ import annotations

import json
import math
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

from consensus import object_schema
from consensus.answers import explicit, structured
from consensus.answers.explicit import Found, Statement
from consensus.answers.protocol import Ask, Reading, Sameness
from consensus.answers.reader import Reader, answer, invalid
from consensus.errors import Malformed
from consensus.types import LabelKind, LabelValue, ObjectSpec

SAME_SHARE = 0.9
"""Objects whose fields agree by at least this share of the weight are the same: what differs is then negligible."""
_REL = 1e-9


class _ObjectReader(Reader):
    def __init__(self, spec: ObjectSpec) -> None:
        self._schema = object_schema.validator(spec.schema_)
        self._properties = _properties(spec.schema_)

    def read(self, text: str) -> Reading:
        """The ``answer`` member, else the reply's JSON objects that satisfy the schema by themselves."""
        own = explicit.own_part(text, lambda before: bool(structured.objects(before)))
        plain = [found for found in structured.objects(own) if "answer" not in found.value]
        fitting = [(found, reading) for found in plain if (reading := self.value(found.value)).kind is LabelKind.ANSWER]
        wrapped = self._structured(own)
        if wrapped is not None and (wrapped.kind is not LabelKind.INVALID or not fitting):
            return wrapped
        settled = explicit.settle(own, [Found(f.start, f.end, reading) for f, reading in fitting], self.same)
        if settled is not None:
            return settled
        return invalid() if plain else self._silent(own)

    def value(self, value: Any) -> Reading:
        if not isinstance(value, dict) or not structured.is_clean(value):
            return invalid()
        typed = {key: _typed(self._properties.get(key), item) for key, item in value.items()}
        if not self._schema.is_valid(typed):
            return invalid(json.dumps(value))
        return answer(typed, json.dumps(value, ensure_ascii=False))

    def words(self, text: str, statement: Statement) -> Found | None:
        """An object is never stated in words."""
        return None

    def bare(self, text: str) -> Reading | None:
        """An object is always found as JSON."""
        return None


def _properties(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    properties = schema.get("properties")
    return properties if isinstance(properties, dict) else {}


def _typed(schema: Any, value: Any) -> Any:
    """A field's value in its schema's type: models write ``"12"`` for 12, ``"yes"`` for true and 12.0 for 12."""
    wanted = schema.get("type") if isinstance(schema, dict) else None
    if wanted == "integer" and isinstance(value, float) and value.is_integer():
        return int(value)
    if not isinstance(value, str) or wanted not in ("integer", "number", "boolean"):
        return value
    word = value.strip().lower()
    if wanted == "boolean":
        return {"true": True, "yes": True, "false": False, "no": False}.get(word, value)
    number = _number(word)
    if number is None or (wanted == "integer" and not number.is_integer()):
        return value
    return int(number) if wanted == "integer" else number


def _number(word: str) -> float | None:
    if len(word) > 40 or not word.isascii() or "_" in word:
        return None
    try:
        number = float(word)
    except ValueError:
        # Not a number: the schema will say so.
        return None
    return number if math.isfinite(number) and abs(number) <= 2**53 else None


def agreement(spec: ObjectSpec, a: Mapping[str, Any], b: Mapping[str, Any]) -> float:
    """Share in [0, 1] of the weight that agrees. Without weights each top-level field of either counts 1."""
    weights = _weights(spec, a, b)
    total = math.fsum(weights.values())
    if total == 0:
        return 1.0
    return math.fsum(w for pointer, w in weights.items() if _same_at(pointer, a, b)) / total


def _weights(spec: ObjectSpec, a: Mapping[str, Any], b: Mapping[str, Any]) -> dict[str, float]:
    if spec.weights is not None:
        return dict(spec.weights)
    return {"/" + key.replace("~", "~0").replace("/", "~1"): 1.0 for key in {**a, **b}}


def _same_at(pointer: str, a: Any, b: Any) -> bool:
    return equal(_at(pointer, a), _at(pointer, b))


_ABSENT = object()


def _at(pointer: str, node: Any) -> Any:
    """The value at a JSON pointer (RFC 6901), or a marker for absent."""
    for token in pointer.split("/")[1:]:
        key = token.replace("~1", "/").replace("~0", "~")
        if isinstance(node, dict) and key in node:
            node = node[key]
        elif isinstance(node, list) and key.isascii() and key.isdecimal() and len(key) < 6 and int(key) < len(node):
            node = node[int(key)]
        else:
            return _ABSENT
    return node


def equal(a: Any, b: Any) -> bool:
    """Equality of JSON values: numbers to one part in 10⁹, strings without regard to case, width and spacing."""
    if isinstance(a, bool) or isinstance(b, bool):
        return a is b
    if isinstance(a, int | float) and isinstance(b, int | float):
        return math.isclose(a, b, rel_tol=_REL, abs_tol=0.0)
    if isinstance(a, str) and isinstance(b, str):
        return _plain(a) == _plain(b)
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(equal(a[key], b[key]) for key in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(equal, a, b))
    return type(a) is type(b) and bool(a == b)


def _plain(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def _pointers_agree(pointers: Sequence[str], a: Any, b: Any) -> bool:
    return all(_same_at(pointer, a, b) for pointer in pointers)


class Object:
    """A JSON object of the request's schema."""

    def ask(self, spec: ObjectSpec) -> Ask:
        """Instructions and reply schema: the request's own, or null."""
        return Ask(
            instructions="The answer is one JSON object that satisfies this JSON Schema: "
            + json.dumps(spec.schema_, ensure_ascii=True),
            schema=None if "$ref" in json.dumps(spec.schema_) else {"anyOf": [dict(spec.schema_), {"type": "null"}]},
            options=(),
            template="object/1",
        )

    def read(self, spec: ObjectSpec, text: str) -> Reading:
        """The object in the reply, field by field in the schema's types."""
        return _ObjectReader(spec).read(text)

    def same(self, spec: ObjectSpec, a: LabelValue, b: LabelValue) -> Sameness:
        """Critical fields agree, and `SAME_SHARE` of the weight; without weights and critical fields, all of them."""
        if not isinstance(a, dict) or not isinstance(b, dict):
            return Sameness.DIFFERENT
        if equal(a, b):
            return Sameness.SAME
        if spec.weights is None and not spec.critical:
            return Sameness.DIFFERENT
        if not _pointers_agree(spec.critical or (), a, b):
            return Sameness.DIFFERENT
        if spec.weights is None:
            return Sameness.SAME
        return Sameness.SAME if agreement(spec, a, b) >= SAME_SHARE else Sameness.DIFFERENT

    def check(self, spec: ObjectSpec, value: LabelValue) -> LabelValue:
        """An object that satisfies the schema as it is."""
        if not isinstance(value, dict) or not object_schema.validator(spec.schema_).is_valid(value):
            raise Malformed("must be an object that satisfies the request's schema", field="answer", code="wrong_type")
        return value


TYPE = Object()
