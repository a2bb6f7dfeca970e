"""Objects: validated against the request's schema, read field by field, compared by weight."""

from __future__ import annotations

from typing import Any

import pytest

from consensus import answers
from consensus.answers import Sameness
from consensus.answers.object import agreement, equal
from consensus.errors import Malformed
from consensus.types import LabelKind, ObjectSpec
from tests.answers.replies import label

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "amount": {"type": "number"},
        "count": {"type": "integer"},
        "fraud": {"type": "boolean"},
        "name": {"type": "string"},
    },
    "required": ["amount"],
    "additionalProperties": False,
}


def _spec(**more: Any) -> ObjectSpec:
    return ObjectSpec.model_validate({"schema": SCHEMA, **more})


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"answer": {"amount": 5, "name": "Bo"}, "confidence": 0.5}', {"amount": 5, "name": "Bo"}),
        ('{"amount": 5}', {"amount": 5}),
        ('Here it is:\n```json\n{"amount": 5}\n```', {"amount": 5}),
        ('{"answer": {"amount": "5.5", "count": "3", "fraud": "yes"}}', {"amount": 5.5, "count": 3, "fraud": True}),
        ('{"answer": {"amount": 1, "count": 3.0}}', {"amount": 1, "count": 3}),
        ('{"note": "thinking"} {"amount": 5}', {"amount": 5}),
        ('{"amount": 5} Correction: {"amount": 6}', {"amount": 6}),
    ],
)
def test_reads(text: str, value: dict[str, Any]) -> None:
    """Wrapped or plain, with strings turned into the types of the schema."""
    assert label(_spec(), text).value == value


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ('{"answer": {"count": 3}}', LabelKind.INVALID),
        ('{"answer": {"amount": "much"}}', LabelKind.INVALID),
        ('{"answer": {"amount": NaN}}', LabelKind.INVALID),
        ('{"answer": {"amount": 1' + "0" * 70 + "}}", LabelKind.INVALID),
        ('{"answer": {"amount": 1, "colour": "red"}}', LabelKind.INVALID),
        ('{"answer": [1]}', LabelKind.INVALID),
        ("amount: 5", LabelKind.INVALID),
        ('{"amount": 5} {"amount": 6}', LabelKind.CONFLICTING),
        ('{"answer": {"amount": 5, "amount": 6}}', LabelKind.INVALID),
        ('{"answer": {"amount": 5', LabelKind.TRUNCATED),
        ('{"answer": null}', LabelKind.ABSTAINED),
        ("I cannot help with that.", LabelKind.REFUSED),
    ],
)
def test_no_opinion(text: str, kind: LabelKind) -> None:
    """What does not satisfy the schema is no answer."""
    assert label(_spec(), text).kind is kind


def test_same_without_weights_needs_every_field() -> None:
    """Nothing is negligible unless the request says so."""
    spec = _spec()
    assert answers.sameness(spec, {"amount": 5, "name": "Bo "}, {"name": "bo", "amount": 5.0}) is Sameness.SAME
    assert answers.sameness(spec, {"amount": 5, "name": "Bo"}, {"amount": 5}) is Sameness.DIFFERENT


def test_critical_fields_must_agree() -> None:
    """With critical fields alone, only they decide."""
    spec = _spec(critical=["/amount"])
    assert answers.sameness(spec, {"amount": 5, "name": "Bo"}, {"amount": 5, "name": "Al"}) is Sameness.SAME
    assert answers.sameness(spec, {"amount": 5, "name": "Bo"}, {"amount": 6, "name": "Bo"}) is Sameness.DIFFERENT


def test_weights_decide_by_share() -> None:
    """A tenth of the weight may differ, more may not; a critical field has a veto whatever its weight."""
    a: dict[str, Any] = {"amount": 5, "name": "Bo"}
    b: dict[str, Any] = {"amount": 5, "name": "Al"}
    light = _spec(weights={"/amount": 9, "/name": 1})
    heavy = _spec(weights={"/amount": 8, "/name": 2})
    veto = _spec(weights={"/amount": 9, "/name": 1}, critical=["/name"])
    assert agreement(light, a, b) == pytest.approx(0.9)
    assert answers.sameness(light, a, b) is Sameness.SAME
    assert answers.sameness(heavy, a, b) is Sameness.DIFFERENT
    assert answers.sameness(veto, a, b) is Sameness.DIFFERENT


def test_pointers_reach_inside() -> None:
    """JSON pointers with escapes and indices; what is absent in both agrees."""
    spec = ObjectSpec.model_validate({"schema": {}, "critical": ["/a~1b/1", "/none"]})
    assert answers.sameness(spec, {"a/b": [1, 2]}, {"a/b": [7, 2]}) is Sameness.SAME
    assert answers.sameness(spec, {"a/b": [1, 2]}, {"a/b": [1, 3]}) is Sameness.DIFFERENT
    assert answers.sameness(spec, {"a/b": [1, 2]}, {"a/b": [1]}) is Sameness.DIFFERENT


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [
        (1, 1.0, True), (1, True, False), ("A b", " a  B", True), ([1, 2], [2, 1], False), ({"a": 1}, {"a": 1.0}, True),
        ({"a": 1}, {"b": 1}, False), (None, None, True), (None, 0, False), ("1", 1, False), ([], {}, False),
    ],
)  # fmt: skip
def test_equal(a: Any, b: Any, same: bool) -> None:
    """JSON equality with numbers and strings as people mean them."""
    assert equal(a, b) is same
    assert equal(b, a) is same


def test_check() -> None:
    """A person's object must satisfy the schema as it is; nothing is converted for them."""
    assert answers.check(_spec(), {"amount": 5}) == {"amount": 5}
    refused: list[Any] = [{"amount": "5"}, {}, [], "x", None]
    for value in refused:
        with pytest.raises(Malformed):
            answers.check(_spec(), value)
