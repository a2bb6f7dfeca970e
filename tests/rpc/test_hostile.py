"""The hostile records over gRPC: INVALID_ARGUMENT naming the field, nothing produced, good calls answered."""

from __future__ import annotations

import json
import re
from typing import Any

import grpc
import pytest

from consensus import wire
from consensus.types import Request
from protos.consensus.v1 import request_pb2
from protos.consensus.v1.consensus_service_pb2 import DecideRequest
from tests import hostile
from tests.rpc.conftest import Gateway, question
from tests.rpc.details import failure, field_of, info_of
from tests.rpc.test_parse import deep, nested

DECIDE = "/consensus.v1.ConsensusService/Decide"

RAW: dict[str, tuple[bytes, str]] = {
    "null value": (b"", "request.stakes"),
    "empty value": (nested(1, b""), "request.stakes"),
    "not JSON": (b"approve the loan", "request"),
    "cut off": (nested(1, b"\x0a\x07hostile")[:-2], "request"),
    "a JSON array": (b"[1,2,3]", "request"),
    "not UTF-8": (nested(1, nested(1, b"\xff\xfe")), "request.id"),
    "UTF-16": ('{"id":"hostile"}'.encode("utf-16"), "request"),
    "schema-registry frame": (b"\x00\x00\x00\x00\x07" + nested(1, b""), "request"),
    "compressed": (hostile.CASES["compressed"].value or b"", "request"),
    "over the size limit": (DecideRequest(request=question(prompt="x" * 1_000_001)).SerializeToString(), "request"),
    "10,000 deep": (nested(1, nested(11, deep(10_000))), "request.metadata"),
    "100,000 values": (
        DecideRequest(request=question(metadata={"a": [0] * 60_000})).SerializeToString(),
        "request.metadata.a",
    ),
    "lone surrogate": (nested(1, nested(6, b"\xed\xa0\x80 Approve")), "request.prompt"),
    "lone surrogate in an id": (nested(1, nested(1, b"hostile \xed\xbf\xbf")), "request.id"),
    "NaN": (
        DecideRequest(request=question(metadata={"a": float("nan")})).SerializeToString(),
        "request.metadata.a",
    ),
    "infinity": (
        DecideRequest(request=question(metadata={"a": float("-inf")})).SerializeToString(),
        "request.metadata.a",
    ),
    "1e999": (
        DecideRequest(request=question(answer={"number": {"abs_tolerance": float("inf")}})).SerializeToString(),
        "request.answer.number.abs_tolerance",
    ),
}
"""What a record that is no JSON of the contract would be as bytes of a proto."""

NOT_IN_PROTO = {
    "a bare number": "the bytes of a number are an unknown field",
    "two documents": "two protos in a row are merged",
    "10,000 open brackets": "as 10,000 deep",
    "duplicate key": "a repeated scalar field counts once, the last",
    "duplicate key, escaped": "as above",
    "400 digits": "numbers are doubles or 64 bits",
    "id is a number": "fields have types",
    "prompt is an object": "fields have types",
    "deadline as text": "fields have types",
    "schema is a list": "fields have types",
    "option is a number": "fields have types",
}
"""Faults that a proto cannot have, and why."""


def as_proto(message: dict[str, Any]) -> request_pb2.Request:
    """The request as a caller would fill it in; an enum value that does not exist becomes an unknown number."""
    plain = dict(message)
    fields: dict[str, Any] = {
        "stakes": _enum(request_pb2.Stakes, "STAKES", plain.pop("stakes")),
        "messages": [
            {"content": m["content"], "role": _enum(request_pb2.Role, "ROLE", m["role"])}
            for m in plain.pop("messages", [])
        ],
    }
    if "answer" in plain:
        fields["answer"] = _spec(plain.pop("answer"))
    return request_pb2.Request(**plain, **fields)


def _enum(kind: Any, prefix: str, name: str) -> int:
    known: int = dict(kind.items()).get(f"{prefix}_{name.upper()}", 99)
    return known if name.islower() else 99


def _spec(answer: dict[str, Any]) -> request_pb2.AnswerSpec:
    fields = {name: value for name, value in answer.items() if name != "type"}
    if "options" in fields:
        fields["options"] = [{"id": o, "text": o} if isinstance(o, str) else o for o in fields["options"]]
    if "equivalence" in fields:
        fields["equivalence"] = _enum(request_pb2.Equivalence, "EQUIVALENCE", fields["equivalence"])
    known = answer.get("type") in request_pb2.AnswerSpec.DESCRIPTOR.fields_by_name
    chosen: dict[str, Any] = {answer["type"]: fields} if known else {}
    return request_pb2.AnswerSpec(**chosen)


def in_proto(case: hostile.Case) -> str:
    """The path of a JSON field in the DecideRequest."""
    kind = (case.message or {}).get("answer", {}).get("type")
    path = "answer" if case.field == "answer.type" else re.sub("^answer[.]", f"answer.{kind}.", case.field)
    return f"request.{path}"


CASES = RAW | {
    name: (DecideRequest(request=as_proto(case.message)).SerializeToString(), in_proto(case))
    for name, case in hostile.CASES.items()
    if case.message is not None and name not in RAW and name not in NOT_IN_PROTO
}


def test_every_hostile_record_is_here_or_cannot_be_said_in_a_proto() -> None:
    assert set(CASES) | set(NOT_IN_PROTO) == set(hostile.CASES)
    assert len(CASES) >= 50


async def test_each_is_refused_by_its_field_and_the_good_ones_get_verdicts(served: Gateway) -> None:
    call: Any = served.channel.unary_unary(DECIDE)
    wrong = {}
    for number, (name, (data, field)) in enumerate(CASES.items()):
        error = await failure(call(data, timeout=20))
        told = (error.code(), field_of(error), bool(info_of(error)))
        if told != (grpc.StatusCode.INVALID_ARGUMENT, field, True):
            wrong[name] = (*told, error.details())
        good = wire.read(Request, hostile.good(number))
        await served.decide(as_proto(json.loads(wire.write(good), object_hook=_given)))
    assert wrong == {}
    assert [request.id for request, _, _ in served.worker.seen] == [f"good-{i}" for i in range(len(CASES))]


def _given(plain: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in plain.items() if value is not None}


async def test_an_unknown_policy_is_refused_by_its_field(served: Gateway) -> None:
    message = hostile.UNKNOWN_POLICY.message
    assert message is not None
    error = await failure(served.decide(as_proto(message)))
    assert (error.code(), field_of(error)) == (grpc.StatusCode.INVALID_ARGUMENT, "request.policy")


async def test_a_message_many_times_too_large_is_cut_off_by_grpc(gateway: Gateway) -> None:
    call: Any = gateway.channel.unary_unary(DECIDE)
    error = await failure(call(b"x" * 9_000_000, timeout=20))
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


@pytest.mark.parametrize("method", ["WatchVerdict", "DecideStream"])
async def test_broken_bytes_are_refused_by_streams_too(gateway: Gateway, method: str) -> None:
    call: Any = gateway.channel.unary_stream(f"/consensus.v1.ConsensusService/{method}")
    error = await failure(call(b"\xff", timeout=20).read())
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert field_of(error)
