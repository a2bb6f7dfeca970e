"""Bytes that are no message: the field that does not parse is named."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consensus.errors import Malformed
from consensus.rpc.parse import parse
from protos.consensus.v1.consensus_service_pb2 import DecideRequest, GetVerdictRequest
from tests.rpc.conftest import question

LIMIT = 2_000_000


def nested(number: int, inner: bytes) -> bytes:
    """Field ``number`` holding ``inner``, as protobuf writes it."""
    size, length = bytearray(), len(inner)
    while length > 127:
        size.append(length & 127 | 128)
        length >>= 7
    size.append(length)
    return bytes([number << 3 | 2]) + bytes(size) + inner


def deep(levels: int) -> bytes:
    """A google.protobuf.Struct of so many objects one in the other."""
    struct = b""
    for _ in range(levels):
        struct = nested(1, nested(1, b"a") + nested(2, nested(5, struct)))
    return struct


def fault(data: bytes, kind: type = DecideRequest, limit: int = LIMIT) -> tuple[str | None, str]:
    with pytest.raises(Malformed) as caught:
        parse(kind, data, limit)
    return caught.value.field, caught.value.code


def test_a_message_is_read() -> None:
    message = DecideRequest(request=question())
    assert parse(DecideRequest, message.SerializeToString(), LIMIT) == message


@pytest.mark.parametrize(
    ("data", "field"),
    [
        (b"\xff\xff\xff", "request"),
        (nested(1, b"")[:-1], "request"),
        (nested(1, nested(6, b"zz\xff")), "request.prompt"),
        (nested(1, nested(6, b"\xed\xa0\x80")), "request.prompt"),
        (
            nested(1, nested(1, b"r-1") + nested(9, nested(1, nested(1, nested(2, b"\xff"))))),
            "request.answer.choice.options.text",
        ),
        (nested(1, nested(9, nested(5, nested(2, nested(1, b"\xff"))))), "request.answer.object.weights"),
        (nested(1, nested(11, deep(200))), "request.metadata"),
        (nested(1, nested(9, nested(5, nested(1, b"\x0a")))), "request.answer.object.schema"),
    ],
)
def test_the_part_that_does_not_parse_is_named(data: bytes, field: str) -> None:
    assert fault(data) == (field, "malformed")


def test_a_message_of_several_fields_is_named_by_itself() -> None:
    assert fault(b"\xff", GetVerdictRequest) == ("GetVerdictRequest", "malformed")
    assert fault(nested(2, b"\xff"), GetVerdictRequest) == ("request_id", "malformed")


def test_ten_thousand_levels_are_refused_quickly() -> None:
    assert fault(nested(1, nested(11, deep(10_000)))) == ("request.metadata", "malformed")


def test_size_comes_first() -> None:
    assert fault(b"\xff" * 11, limit=10) == ("request", "too_large")


@settings(max_examples=300, deadline=None)
@given(data=st.binary(max_size=64) | st.binary(max_size=32).map(lambda inner: nested(1, inner)))
def test_no_bytes_raise_anything_else(data: bytes) -> None:
    with suppress(Malformed):
        parse(DecideRequest, data, LIMIT)
