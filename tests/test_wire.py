"""Bytes to messages: every limit and every broken contract is refused with its code and its field."""

from __future__ import annotations

import json
import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consensus import policy, wire
from consensus.contract import check_request
from consensus.errors import Malformed
from consensus.json_limits import MAX_BYTES, MAX_DEPTH, MAX_DIGITS, MAX_VALUES
from consensus.types import Request, Ruling, Vote
from tests import hostile

GOOD = json.loads(hostile.good(1))


@pytest.mark.parametrize("name", hostile.CASES)
def test_hostile_record(name: str) -> None:
    """The error has the case's code and names its field."""
    case = hostile.CASES[name]
    with pytest.raises(Malformed) as caught:
        wire.read(Request, case.value)
    assert (caught.value.code, caught.value.field) == (case.code, case.field)
    assert len(str(caught.value)) < 1_500


def test_at_least_forty_cases() -> None:
    """The list that brokers and gateways are tested with is long enough to mean something."""
    assert len(hostile.CASES) >= 40


def test_unknown_policy_names_the_field() -> None:
    """An unknown policy passes the types and is refused where policies are known."""
    request = wire.read(Request, hostile.UNKNOWN_POLICY.value)
    with pytest.raises(Malformed) as caught:
        policy.select({}, request)
    assert (caught.value.code, caught.value.field) == ("unknown_policy", "policy")


def test_good_record_is_read() -> None:
    """A good record passes, and unknown fields are ignored."""
    request = wire.read(Request, json.dumps(GOOD | {"colour": "red"}).encode())
    assert request.id == "good-1"
    assert wire.read(Request, wire.write(request)) == request


@pytest.mark.parametrize("name", [name for name, case in hostile.CASES.items() if case.code == "schema_too_complex"])
def test_expensive_schema_is_refused_quickly(name: str) -> None:
    """The bound is computed, not tried."""
    started = time.process_time()
    with pytest.raises(Malformed):
        wire.read(Request, hostile.CASES[name].value)
    assert time.process_time() - started < 5


def _nested(levels: int) -> bytes:
    return json.dumps(GOOD).replace('"high"', '"high","metadata":{"a":' + "[" * levels + "]" * levels + "}").encode()


def test_depth_limit_is_exact() -> None:
    """The request and its metadata are two levels; the deepest nesting allowed passes, one more does not."""
    assert wire.read(Request, _nested(MAX_DEPTH - 2)).id == "good-1"
    with pytest.raises(Malformed, match="nested more than"):
        wire.read(Request, _nested(MAX_DEPTH - 1))


def test_digits_limit_is_exact() -> None:
    """A number of the longest length passes, one digit more does not."""
    text = json.dumps(GOOD | {"metadata": {"a": 0.5}})
    assert wire.read(Request, text.replace("0.5", "0." + "5" * (MAX_DIGITS - 2)).encode()).metadata is not None
    with pytest.raises(Malformed, match=r"metadata\.a: a number of 65 characters"):
        wire.read(Request, text.replace("0.5", "0." + "5" * (MAX_DIGITS - 1)).encode())


def test_size_limit_is_exact() -> None:
    """A record of the largest size passes, one byte more does not."""
    room = MAX_BYTES - len(json.dumps(GOOD | {"context": ""}))
    assert wire.read(Request, json.dumps(GOOD | {"context": "x" * room}).encode()).context is not None
    with pytest.raises(Malformed, match="bytes"):
        wire.read(Request, json.dumps(GOOD | {"context": "x" * (room + 1)}).encode())


@pytest.mark.parametrize(
    "value",
    [
        b'"' + b'\\"' * 499_000,
        b"[" + b"{}," * (MAX_VALUES * 2),
        b'{"a":"' + b"\\u0041" * 150_000 + b'"}',
        b" " * 999_999 + b"{",
        b'{"a":' * 100_000,
        b",:" * 499_000,
    ],
)
def test_refusal_of_a_megabyte_is_quick(value: bytes) -> None:
    """No shape of a megabyte holds up an event loop for long before it is refused."""
    started = time.process_time()
    with pytest.raises(Malformed):
        wire.read(Request, value)
    assert time.process_time() - started < 4


def test_what_the_limits_let_in_can_be_written_and_read_again() -> None:
    """A label nested as deep as a reply may be still fits into our own messages around it."""
    tree: object = 10**59
    for _ in range(MAX_DEPTH - 1):
        tree = {"a": tree}
    entry = {"model": "m", "family": "f", "label_kind": "answer", "label": tree}
    vote = Vote.model_validate({"request_id": "r", "tenant": "t", "entry": entry})
    assert wire.read(Vote, wire.write(vote)) == vote
    with pytest.raises(Malformed, match="nested more than"):
        wire.read(Ruling, json.dumps({"answer": [tree]}).encode())


def test_keys_in_the_path_are_bounded_and_printable() -> None:
    """A hostile key does not put control characters or a megabyte into a header."""
    name = "\\u001b[31m" + "k" * 10_000
    with pytest.raises(Malformed) as caught:
        wire.read(Request, f'{{"{name}": NaN}}'.encode())
    assert caught.value.field is not None
    assert len(caught.value.field) <= 200
    assert caught.value.field.isprintable()


def test_other_messages_are_limited_alike() -> None:
    """Rulings come from outside as well."""
    with pytest.raises(Malformed) as caught:
        wire.read(Ruling, b'{"task_id":"t","task_id":"u"}')
    assert (caught.value.code, caught.value.field) == ("duplicate_key", "task_id")


def _refusal(value: bytes) -> Malformed | None:
    try:
        wire.read(Request, value)
    except Malformed as error:
        return error
    return None


@given(st.binary(max_size=400))
def test_any_bytes_are_read_or_malformed(value: bytes) -> None:
    """Nothing but Malformed comes out, always with a code and a field."""
    error = _refusal(value)
    assert error is None or (error.field and error.code != "malformed")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(st.sampled_from([*Request.model_fields, "x"]), JSON, max_size=8))
def test_any_object_is_read_or_malformed(changes: dict[str, object]) -> None:
    """Every broken member of an otherwise good request is refused by name."""
    error = _refusal(json.dumps(GOOD | changes).encode("utf-8", "surrogatepass"))
    top = re.split(r"[.\[]", error.field or "")[0] if error is not None else "value"
    assert top in {*Request.model_fields, "x", "value"}


@given(JSON)
def test_any_schema_is_used_or_malformed(schema: object) -> None:
    """A schema of any shape is compiled or refused."""
    answer = {"type": "object", "schema": {"properties": schema, "items": schema}}
    error = _refusal(json.dumps(GOOD | {"answer": answer}).encode("utf-8", "surrogatepass"))
    assert error is None or (error.field or "").startswith("answer")


def test_deep_tree_from_python_is_refused() -> None:
    """A request built in Python meets the same limits as JSON text."""
    tree: object = 0
    for _ in range(100):
        tree = [tree]
    with pytest.raises(Malformed) as caught:
        check_request(Request.model_validate(GOOD | {"metadata": {"a": tree}}))
    assert (caught.value.code, caught.value.field) == ("too_deep", "metadata")


def test_same_payload_same_hash() -> None:
    """Metadata, deadline and the order of keys do not count; everything else does."""
    one = Request.model_validate(GOOD)
    other = Request.model_validate(dict(reversed(GOOD.items())) | {"metadata": {"a": 1}, "deadline_ms": 5})
    assert wire.payload_hash(one) == wire.payload_hash(other)
    assert wire.payload_hash(one) != wire.payload_hash(Request.model_validate(GOOD | {"prompt": "Deny the loan?"}))
