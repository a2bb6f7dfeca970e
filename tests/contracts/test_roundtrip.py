"""One model of each thing: JSON → type → JSON and type → proto → type, for every message."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any, get_args

import pytest
from google.protobuf.message import Message
from hypothesis import given, settings
from hypothesis import strategies as st

from consensus import types as t
from consensus import wire
from consensus.rpc.convert import from_proto, to_proto
from protos.consensus.v1 import calibration_pb2, request_pb2, review_pb2, verdict_pb2
from tests.contracts.messages import ON_KAFKA

ON_GRPC: dict[type[t.Frozen], type[Message]] = {
    t.Request: request_pb2.Request,
    t.Verdict: verdict_pb2.Verdict,
    t.Vote: verdict_pb2.Vote,
    t.ReviewTask: review_pb2.ReviewTask,
    t.Ruling: review_pb2.Ruling,
    t.Outcome: calibration_pb2.Outcome,
}


def messages(kinds: Any) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("kind", list(kinds), ids=lambda kind: kind.__name__)


@messages(ON_KAFKA)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_json_to_type_to_json(kind: type[t.Frozen], data: st.DataObject) -> None:
    message = data.draw(ON_KAFKA[kind])
    text = wire.write(message)
    assert kind.model_validate_json(text) == message
    assert wire.write(kind.model_validate_json(text)) == text
    assert wire.write(kind.model_validate(json.loads(text))) == text


@messages(ON_GRPC)
@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_type_to_proto_to_type(kind: type[t.Frozen], data: st.DataObject) -> None:
    message = data.draw(ON_KAFKA[kind])
    sent = to_proto(message, ON_GRPC[kind]).SerializeToString()
    assert from_proto(kind, ON_GRPC[kind].FromString(sent), "message") == message


@messages(ON_GRPC)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_proto_to_type_to_proto(kind: type[t.Frozen], data: st.DataObject) -> None:
    sent = to_proto(data.draw(ON_KAFKA[kind]), ON_GRPC[kind])
    assert to_proto(from_proto(kind, sent, "message"), ON_GRPC[kind]) == sent


@settings(max_examples=60, deadline=None)
@given(request=ON_KAFKA[t.Request])
def test_a_request_has_one_payload_hash_whichever_way_it_came(request: t.Request) -> None:
    sent = to_proto(request, request_pb2.Request).SerializeToString()
    through_proto = from_proto(t.Request, request_pb2.Request.FromString(sent), "request")
    through_json = t.Request.model_validate_json(wire.write(through_proto))
    assert wire.payload_hash(through_json) == wire.payload_hash(through_proto)


PARTS: dict[type[t.Frozen], type[Message]] = ON_GRPC | {
    t.Option: request_pb2.Option,
    t.ChoiceSpec: request_pb2.ChoiceSpec,
    t.BooleanSpec: request_pb2.BooleanSpec,
    t.NumberSpec: request_pb2.NumberSpec,
    t.LabelsSpec: request_pb2.LabelsSpec,
    t.ObjectSpec: request_pb2.ObjectSpec,
    t.TextSpec: request_pb2.TextSpec,
    t.Message: request_pb2.Message,
    t.BallotEntry: verdict_pb2.BallotEntry,
    t.Disagreement: verdict_pb2.Disagreement,
    t.Certificate: verdict_pb2.Certificate,
    t.ArbiterCall: verdict_pb2.ArbiterCall,
    t.Arbitration: verdict_pb2.Arbitration,
    t.AuditDraw: verdict_pb2.AuditDraw,
    t.Candidate: review_pb2.Candidate,
}


@messages(PARTS)
def test_a_proto_has_the_fields_of_its_type(kind: type[t.Frozen]) -> None:
    """A field added on one side only is found here. The type of an answer spec is its place in the oneof."""
    fields = {field.alias or name for name, field in kind.model_fields.items()}
    if kind.__name__.endswith("Spec"):
        fields.remove("type")
    assert {field.name for field in PARTS[kind].DESCRIPTOR.fields} == fields


@pytest.mark.parametrize(
    ("proto", "strings"),
    [
        (request_pb2.Stakes, t.Stakes),
        (request_pb2.Role, get_args(t.Message.model_fields["role"].annotation)),
        (request_pb2.Equivalence, ("exact", "lexical", "judge")),
        (verdict_pb2.LabelKind, t.LabelKind),
        (verdict_pb2.ConfidenceSource, t.ConfidenceSource),
        (verdict_pb2.Failure, t.Failure),
        (verdict_pb2.CostSource, t.CostSource),
        (verdict_pb2.Kind, t.Kind),
        (verdict_pb2.Route, t.Route),
        (verdict_pb2.Status, t.Status),
        (verdict_pb2.EffectiveVotesSource, ("fitted", "assumed")),
        (verdict_pb2.ArbiterPurpose, get_args(t.ArbiterCall.model_fields["purpose"].annotation)),
        (verdict_pb2.ArbitrationDecision, get_args(t.Arbitration.model_fields["decision"].annotation)),
        (review_pb2.RulingDecision, t.RulingDecision),
        (calibration_pb2.OutcomeSource, t.OutcomeSource),
    ],
    ids=lambda value: getattr(getattr(value, "DESCRIPTOR", None), "name", ""),
)
def test_an_enum_has_the_strings_of_its_type(proto: Any, strings: Iterable[str]) -> None:
    prefix = re.sub("(?<!^)(?=[A-Z])", "_", proto.DESCRIPTOR.name).upper()
    assert list(proto.keys()) == [f"{prefix}_{name}" for name in ("UNSPECIFIED", *(s.upper() for s in strings))]
