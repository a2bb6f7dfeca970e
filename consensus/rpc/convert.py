"""Types ⇄ protos, in both directions, for every message that crosses gRPC.

A proto has the fields of its type under the same names, so one walk along the proto's descriptor serves all of them.
What is written out here is where protos and the JSON contract differ:

- enum numbers are lower-case strings (``STAKES_HIGH`` is ``high``); UNSPECIFIED and unknown numbers are errors;
- the oneof of AnswerSpec is the object with its ``type``;
- labels, schemas and metadata are JSON values (`consensus.rpc.values`), times are UTC with microseconds;
- an absent field is ``null`` or the type's default, and so is an empty list or map.

The pydantic type does the checking; its error becomes Malformed with the proto's field path.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC
from functools import cache
from typing import Any, TypeVar, cast

from google.protobuf.descriptor import EnumDescriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.struct_pb2 import Struct, Value
from google.protobuf.timestamp_pb2 import Timestamp
from pydantic import BaseModel, ValidationError

from consensus.errors import Malformed
from consensus.rpc.values import struct_in, struct_out, value_in, value_out
from consensus.types import Frozen
from consensus.wire import fault

F = TypeVar("F", bound=Frozen)
P = TypeVar("P", bound=Message)
Reader = Callable[[Any, str], Any]
UNION = "spec"
"""Name of the one oneof that stands for an object with a ``type``."""


def from_proto(kind: type[F], message: Message, path: str) -> F:
    """``message`` as a ``kind``. Raises Malformed with the path of the field at fault.

    ``path`` is where the message stands in the call's request (``request`` for DecideRequest.request), or empty.
    """
    plain = _plain(message, path)
    try:
        return kind.model_validate(plain)
    except ValidationError as error:
        location, reason, code = fault(error)
        raise Malformed(reason, field=(path + _steps(location)).lstrip("."), code=code) from None


def to_proto(value: BaseModel, kind: type[P]) -> P:
    """``value`` as a proto of the given class; fields that only one of the two has are left out."""
    message = kind()
    _fill(message, value.model_dump(by_alias=True))
    return message


def at(path: str, name: str) -> str:
    """Path of the field ``name`` of the message at ``path``."""
    return f"{path}.{name}" if path else name


def _steps(location: tuple[int | str, ...]) -> str:
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in location)


def _fields(message: Message) -> list[FieldDescriptor]:
    return list(cast("tuple[FieldDescriptor, ...]", message.DESCRIPTOR.fields))


# ---------------------------------------------------------------- proto → plain values of the contract


def _plain(message: Message, path: str) -> dict[str, Any]:
    if UNION in message.DESCRIPTOR.oneofs_by_name:
        chosen = message.WhichOneof(UNION)
        return {} if chosen is None else {"type": chosen} | _plain(getattr(message, chosen), at(path, chosen))
    return {
        field.name: _field_in(field, getattr(message, field.name), at(path, field.name))
        for field in _fields(message)
        if _given(message, field)
    }


def _given(message: Message, field: FieldDescriptor) -> bool:
    if field.has_presence:
        return message.HasField(field.name)
    return not field.is_repeated or len(getattr(message, field.name)) > 0


def _field_in(field: FieldDescriptor, value: Any, path: str) -> Any:
    if not field.is_repeated:
        return _item_in(field, value, path)
    if isinstance(value, Mapping):
        return dict(sorted(value.items()))
    return [_item_in(field, item, f"{path}[{i}]") for i, item in enumerate(value)]


def _item_in(field: FieldDescriptor, value: Any, path: str) -> Any:
    if field.enum_type is not None:
        return _enum_in(field.enum_type, value, path)
    if isinstance(value, Message):
        read: Reader = _READERS.get(type(value), _plain)
        return read(value, path)
    return value


def _enum_in(enum: EnumDescriptor, number: int, path: str) -> str:
    name = _names(enum).get(number)
    if name is None:
        known = ", ".join(f"{value.name}" for value in enum.values if value.number)
        problem, code = (f"unknown value {number}", "unknown_value") if number else ("must be given", "missing_field")
        raise Malformed(f"{problem}: one of {known}", field=path, code=code)
    return name


def _time_in(value: Timestamp, path: str) -> Any:
    try:
        return value.ToDatetime(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise Malformed("not a time between the years 1 and 9999", field=path, code="out_of_range") from None


_READERS: dict[type[Message], Reader] = {
    Struct: struct_in,
    Value: value_in,
    Timestamp: _time_in,
}


# ---------------------------------------------------------------- plain values of the contract → proto


def _fill(message: Message, plain: dict[str, Any]) -> None:
    if UNION in message.DESCRIPTOR.oneofs_by_name:
        message = getattr(message, plain["type"])
        message.SetInParent()
    for field in _fields(message):
        value = plain.get(field.name)
        if value is not None:
            _field_out(message, field, value)


def _field_out(message: Message, field: FieldDescriptor, value: Any) -> None:
    target = getattr(message, field.name)
    if isinstance(target, Message):
        _message_out(target, value)
    elif isinstance(value, dict):
        target.update(value)
    elif not field.is_repeated:
        setattr(message, field.name, _scalar_out(field, value))
    elif field.message_type is not None:
        for item in value:
            _message_out(target.add(), item)
    else:
        target.extend(value)


def _message_out(target: Message, value: Any) -> None:
    if isinstance(target, Value):
        value_out(value, target)
    elif isinstance(target, Struct):
        struct_out(value, target)
    elif isinstance(target, Timestamp):
        target.FromDatetime(value)
    else:
        target.SetInParent()
        _fill(target, value)


def _scalar_out(field: FieldDescriptor, value: Any) -> Any:
    return value if field.enum_type is None else _numbers(field.enum_type)[value]


# ---------------------------------------------------------------- enums


@cache
def _names(enum: EnumDescriptor) -> dict[int, str]:
    """Number → string of the contract, without the UNSPECIFIED zero."""
    prefix = enum.values_by_number[0].name.removesuffix("UNSPECIFIED")
    return {value.number: value.name.removeprefix(prefix).lower() for value in enum.values if value.number}


@cache
def _numbers(enum: EnumDescriptor) -> dict[str, int]:
    return {name: number for number, name in _names(enum).items()}
