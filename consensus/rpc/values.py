"""JSON values ⇄ ``google.protobuf.Value`` and ``Struct``.

A Value's number is a double, so JSON integers beyond 2^53 lose digits on the way out, and a whole number comes in as an
integer: `1` and `1.0` are one payload, whichever way they were sent.
"""

from __future__ import annotations

import math

from google.protobuf.struct_pb2 import NULL_VALUE, ListValue, Struct, Value
from pydantic import JsonValue

from consensus.errors import Malformed

EXACT = 2**53
"""Largest magnitude up to which every integer is a double."""


def value_in(value: Value, path: str) -> JsonValue:
    """The JSON value. Raises Malformed naming ``path`` for NaN, infinity, negative zero and a Value without a kind."""
    kind = value.WhichOneof("kind")
    if kind == "number_value":
        return _number(value.number_value, path)
    if kind == "struct_value":
        return struct_in(value.struct_value, path)
    if kind == "list_value":
        return [value_in(item, f"{path}[{i}]") for i, item in enumerate(value.list_value.values)]
    if kind == "string_value":
        return value.string_value
    if kind == "bool_value":
        return value.bool_value
    if kind == "null_value":
        return None
    raise Malformed("a value without a kind", field=path, code="wrong_type")


def struct_in(struct: Struct, path: str) -> dict[str, JsonValue]:
    """The JSON object, keys in alphabetical order since a Struct keeps none. Raises Malformed as `value_in` does."""
    return {key: value_in(item, f"{path}.{key}") for key, item in sorted(struct.fields.items())}


def _number(number: float, path: str) -> int | float:
    if not math.isfinite(number):
        raise Malformed("must be a finite number", field=path, code="not_finite")
    if number == 0 and math.copysign(1, number) < 0:
        raise Malformed("must not be negative zero", field=path, code="negative_zero")
    return int(number) if number.is_integer() and abs(number) <= EXACT else number


def value_out(item: JsonValue, target: Value) -> None:
    """Fill ``target``. Negative zero becomes zero; an integer no double can hold is an OverflowError."""
    if item is None:
        target.null_value = NULL_VALUE
    elif isinstance(item, bool):
        target.bool_value = item
    elif isinstance(item, str):
        target.string_value = item
    elif isinstance(item, int | float):
        target.number_value = float(item) + 0.0
    elif isinstance(item, dict):
        struct_out(item, target.struct_value)
    else:
        _list_out(item, target.list_value)


def struct_out(item: dict[str, JsonValue], target: Struct) -> None:
    """Fill ``target``, which is present afterwards even when the object is empty."""
    target.SetInParent()
    for key, value in item.items():
        value_out(value, target.fields[key])


def _list_out(items: list[JsonValue], target: ListValue) -> None:
    target.SetInParent()
    for item in items:
        value_out(item, target.values.add())
