"""Bytes → protos, naming the field when they cannot be read.

grpc would answer INTERNAL or UNKNOWN for bytes that are no message. What a caller sent wrong is the caller's to know,
so messages are parsed here, and on failure the path to the part that does not parse is found.
"""

from __future__ import annotations

from typing import TypeVar, cast

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass
from google.protobuf.unknown_fields import UnknownFieldSet

from consensus.errors import Malformed

P = TypeVar("P", bound=Message)
LENGTH_DELIMITED = 2
OWN = "consensus.v1."


def parse(kind: type[P], data: bytes, limit: int) -> P:
    """The message in ``data``. Raises Malformed naming the field; ``limit`` is the largest size in bytes."""
    descriptor = cast(Descriptor, kind.DESCRIPTOR)
    if len(data) > limit:
        reason = f"the message has {len(data)} bytes, at most {limit} are allowed"
        raise Malformed(reason, field=_only_field(descriptor), code="too_large")
    try:
        return kind.FromString(data)
    except DecodeError:
        field = ".".join(_blame(descriptor, data)) or _only_field(descriptor)
        reason = "cannot be read: broken wire format, text that is not UTF-8, or nested too deep"
        raise Malformed(reason, field=field) from None


def _only_field(descriptor: Descriptor) -> str:
    return descriptor.fields[0].name if len(descriptor.fields) == 1 else descriptor.name


def _blame(descriptor: Descriptor, data: bytes) -> list[str]:
    """Names of the fields, from the outside in, down to the one that does not parse; empty when the frame is broken."""
    try:
        # Read as a message without fields, everything is an unknown field and nothing nested is looked at.
        parts = UnknownFieldSet(Empty.FromString(data))
    except DecodeError:
        return []
    for part in (parts[i] for i in range(len(parts))):
        field = descriptor.fields_by_number.get(part.field_number)
        if field is not None and part.wire_type == LENGTH_DELIMITED and _broken(field, part.data):
            inner = field.message_type
            known = inner is not None and inner.full_name.startswith(OWN) and not inner.GetOptions().map_entry
            return [field.name, *(_blame(inner, part.data) if known and inner is not None else [])]
    return []


def _broken(field: FieldDescriptor, data: bytes) -> bool:
    try:
        if field.message_type is not None:
            GetMessageClass(field.message_type).FromString(data)
        elif field.type == FieldDescriptor.TYPE_STRING:
            data.decode()
    except (DecodeError, UnicodeDecodeError):
        return True
    return False
