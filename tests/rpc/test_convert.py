"""What differs between protos and the contract: enums, labels, times, absent fields; and the paths of faults."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from google.protobuf.struct_pb2 import Struct, Value
from google.protobuf.timestamp_pb2 import Timestamp
from pydantic import JsonValue

from consensus.errors import Malformed
from consensus.rpc.convert import from_proto, to_proto
from consensus.rpc.values import value_in, value_out
from consensus.types import AnswerSpec, ChoiceSpec, NumberSpec, Outcome, OutcomeSource, Request, TextSpec
from protos.consensus.v1 import calibration_pb2, request_pb2
from tests.rpc.conftest import question


def fault(request: request_pb2.Request) -> tuple[str | None, str]:
    with pytest.raises(Malformed) as caught:
        from_proto(Request, request, "request")
    return caught.value.field, caught.value.code


def spec(**chosen: Any) -> request_pb2.AnswerSpec:
    return request_pb2.AnswerSpec(**chosen)


def test_a_request_reads_as_its_json_would() -> None:
    request = from_proto(Request, question(tenant="t", context="", deadline_ms=5), "request")
    assert request == Request.model_validate(
        {
            "id": "r-1",
            "tenant": "t",
            "domain": "law",
            "stakes": "high",
            "prompt": "Is it?",
            "context": "",
            "answer": {"type": "boolean"},
            "deadline_ms": 5,
        }
    )


def test_an_absent_field_is_the_default_and_an_empty_list_is_absent() -> None:
    request = from_proto(Request, question(), "request")
    assert (request.tenant, request.policy, request.messages, request.metadata) == ("default", None, None, None)
    assert from_proto(Request, question(metadata=Struct()), "request").metadata == {}


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        (
            {"choice": request_pb2.ChoiceSpec(options=[request_pb2.Option(id=i, text=i) for i in "AB"])},
            ChoiceSpec.model_validate({"options": ["A", "B"]}),
        ),
        ({"number": request_pb2.NumberSpec(unit="m", rel_tolerance=0.0)}, NumberSpec(unit="m", rel_tolerance=0.0)),
        ({"text": request_pb2.TextSpec(equivalence=request_pb2.EQUIVALENCE_JUDGE)}, TextSpec(equivalence="judge")),
        ({"text": request_pb2.TextSpec()}, TextSpec()),
    ],
)
def test_the_oneof_of_an_answer_spec_is_its_type(chosen: dict[str, Any], expected: AnswerSpec) -> None:
    assert from_proto(Request, question(answer=spec(**chosen)), "request").answer == expected


@pytest.mark.parametrize(
    ("changes", "field", "code"),
    [
        ({"id": ""}, "request.id", "empty_text"),
        ({"tenant": ""}, "request.tenant", "empty_text"),
        ({"stakes": 0}, "request.stakes", "missing_field"),
        ({"stakes": 99}, "request.stakes", "unknown_value"),
        ({"deadline_ms": -(2**63)}, "request.deadline_ms", "out_of_range"),
        ({"deadline_ms": 2**63 - 1}, "request.deadline_ms", "out_of_range"),
        ({"answer": None}, "request.answer", "missing_field"),
        ({"answer": spec()}, "request.answer", "unknown_answer_type"),
        ({"answer": spec(choice={})}, "request.answer.choice.options", "missing_field"),
        (
            {"answer": spec(labels={"options": [{"id": "a", "text": "a"}, {"id": "", "text": "b"}]})},
            "request.answer.labels.options[1].id",
            "empty_text",
        ),
        (
            {"answer": spec(choice={"options": [{"id": "a", "text": "a"}, {"id": "a", "text": "b"}]})},
            "request.answer.choice.options",
            "invalid_value",
        ),
        (
            {"answer": spec(number={"abs_tolerance": float("nan")})},
            "request.answer.number.abs_tolerance",
            "not_finite",
        ),
        ({"answer": spec(text={"equivalence": 7})}, "request.answer.text.equivalence", "unknown_value"),
        ({"answer": spec(object={})}, "request.answer.object.schema", "missing_field"),
        ({"messages": [{"role": 1, "content": "a"}, {"content": "b"}]}, "request.messages[1].role", "missing_field"),
        ({"metadata": {"a": [1, float("inf")]}}, "request.metadata.a[1]", "not_finite"),
        ({"metadata": {"a": {"b": -0.0}}}, "request.metadata.a.b", "negative_zero"),
        ({"metadata": Struct(fields={"a": Value()})}, "request.metadata.a", "wrong_type"),
    ],
)
def test_a_fault_names_the_field_of_the_proto(changes: dict[str, Any], field: str, code: str) -> None:
    assert fault(question(**changes)) == (field, code)


@pytest.mark.parametrize("item", [None, True, 0, 1, -(2**53), 0.5, 1e300, "", "text", [], {}, [1, [None]], {"a": {}}])
def test_json_values_survive_a_value(item: JsonValue) -> None:
    value = Value()
    value_out(item, value)
    back = value_in(Value.FromString(value.SerializeToString()), "label")
    assert back == item
    assert type(back) is type(item)


def test_numbers_of_a_value_are_doubles() -> None:
    value = Value()
    value_out(2.0, value)
    assert repr(value_in(value, "label")) == "2"
    value_out(-0.0, value)
    assert repr(value_in(value, "label")) == "0"
    value_out(2**53 + 1, value)
    assert value_in(value, "label") == 2**53
    with pytest.raises(OverflowError):
        value_out(10**400, value)


def test_keys_of_objects_come_in_one_order() -> None:
    metadata = Struct()
    metadata.update({"b": 1, "a": {"d": 1, "c": 2}})
    request = from_proto(Request, question(metadata=metadata), "request")
    assert repr(request.metadata) == "{'a': {'c': 2, 'd': 1}, 'b': 1}"


def test_times_are_utc_with_microseconds() -> None:
    observed = datetime(2025, 2, 3, 4, 5, 6, 789, tzinfo=UTC)
    outcome = Outcome(outcome_id="o", request_id="r", source=OutcomeSource.GOLD, observed_at=observed)
    message = to_proto(outcome, calibration_pb2.Outcome)
    assert (message.observed_at.seconds, message.observed_at.nanos) == (int(observed.timestamp()), 789_000)
    assert from_proto(Outcome, message, "outcome") == outcome


@pytest.mark.parametrize("seconds", [-(2**63), 2**62])
def test_a_time_beyond_the_calendar_is_refused(seconds: int) -> None:
    gold = calibration_pb2.OUTCOME_SOURCE_GOLD
    message = calibration_pb2.Outcome(
        outcome_id="o", request_id="r", source=gold, observed_at=Timestamp(seconds=seconds)
    )
    with pytest.raises(Malformed) as caught:
        from_proto(Outcome, message, "outcome")
    assert (caught.value.field, caught.value.code) == ("outcome.observed_at", "out_of_range")
