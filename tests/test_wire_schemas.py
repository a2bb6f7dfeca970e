"""Schemas that requests bring along: which patterns and which references are refused."""

from __future__ import annotations

import time

import pytest

from consensus import object_schema
from consensus.errors import Malformed
from consensus.patterns import catastrophic
from consensus.schema_cost import Cost, TooComplex


@pytest.mark.parametrize(
    "pattern",
    [
        "(a+)+", "^(a*)*$", "(a+)*b", "([a-z]+)+", r"(\w*\d*)*", r"(\w+\s?)+", "(a|aa)+", "(a|a)*", "(|a)+",
        "((a+))+", "(?:x{2,})+", "(a+){3,}", r"(.*)*", "((ab)*c?)*", "(a{1,}b?)+", r"([^,]+)*,", "a" * 1001,
    ],
)  # fmt: skip
def test_catastrophic(pattern: str) -> None:
    """Repetitions of repetitions that nothing tells apart."""
    assert catastrophic(pattern)


@pytest.mark.parametrize(
    "pattern",
    [
        "", "^[a-z]+$", r"^\d{4}-\d{2}-\d{2}$", "^[a-z]+(-[a-z]+)*$", r"^(\d{3} )+$", r"^([^,]+,)*[^,]+$", "(a{2}){3}",
        "(ab|cd)+", r"^[A-Z]{2}\d{6}[A-D]$", r"(\([^)]*\))*", "^(?:[01]{8})*$", r"[)(]+", "(a?b)+", "(", ")", "a)b",
        r"\(a+\)+", "[(a+)+]",
    ],
)  # fmt: skip
def test_harmless(pattern: str) -> None:
    """Ordinary patterns of identifiers, dates and lists."""
    assert not catastrophic(pattern)


def test_analysis_of_the_longest_pattern_is_quick() -> None:
    """The analysis does not itself take exponential time."""
    started = time.process_time()
    for pattern in ("(" * 500 + ")+" * 250, "(" + "a*b" * 330 + ")+", "(a|" * 300 + "b", "[" * 1000, "\\" * 999):
        catastrophic(pattern)
    assert time.process_time() - started < 5


def _fork(applicator: str, levels: int) -> dict[str, object]:
    defs: dict[str, object] = {
        f"a{i}": {applicator: [{"$ref": f"#/$defs/a{i + 1}"}] * 2} for i in range(levels)
    }  # fmt: skip
    return {"$defs": defs | {f"a{levels}": {}}, "$ref": "#/$defs/a0"}


@pytest.mark.parametrize("applicator", ["allOf", "anyOf", "oneOf"])
def test_doubling_is_too_complex(applicator: str) -> None:
    """2^10 looks at a value are fine, 2^40 are not."""
    Cost(_fork(applicator, 10)).check(32)
    with pytest.raises(TooComplex):
        Cost(_fork(applicator, 40)).check(32)


def test_doubling_along_the_value_is_too_complex() -> None:
    """A recursive schema that looks twice at each member doubles with every level of the value."""
    twice = {"properties": {"a": {"anyOf": [{"$ref": "#"}, {"$ref": "#"}]}}}
    with pytest.raises(TooComplex):
        Cost(twice).check(32)


def test_trees_are_fine() -> None:
    """A recursive schema that looks once at each member is linear in the value."""
    tree = {"properties": {"left": {"$ref": "#"}, "right": {"$ref": "#"}}, "type": "object"}
    Cost(tree).check(32)
    assert object_schema.validator(tree).is_valid({"left": {"left": {}}, "right": {}})


def test_self_reference_is_fine() -> None:
    """A schema that is itself adds nothing."""
    Cost({"$ref": "#"}).check(32)


def test_linear_engine() -> None:
    """The engine that evaluates patterns does not backtrack: a hostile value of 100 KB takes no time."""
    schema = {"properties": {"a": {"pattern": r"^(\w+-)*\w+$"}}}
    started = time.process_time()
    assert not object_schema.validator(schema).is_valid({"a": "a-" * 50_000 + "!"})
    assert time.process_time() - started < 5


@pytest.mark.parametrize("reference", ["other.json", "https://example.com/a.json", "//host/a", "urn:example:a"])
def test_remote_references_are_refused(reference: str) -> None:
    """Nothing outside the schema is ever looked up, in whatever place the reference stands."""
    for schema in ({"$ref": reference}, {"items": [{"not": {"$dynamicRef": reference}}]}):
        with pytest.raises(Malformed) as caught:
            object_schema.validator(schema)
        assert caught.value.code == "remote_reference"


def test_relative_base_does_not_reach_out() -> None:
    """A local reference under a foreign base stays unresolved instead of being fetched."""
    with pytest.raises(Malformed) as caught:
        object_schema.validator({"$id": "http://example.com/a", "properties": {"b": {"$ref": "#/$defs/c"}}})
    assert caught.value.code == "bad_schema"


def test_a_field_named_like_a_keyword_is_no_reference() -> None:
    """A property that is called $ref or pattern is a property."""
    schema = {"properties": {"$ref": {"type": "string"}, "pattern": {"type": "string"}}}
    assert object_schema.validator(schema).is_valid({"$ref": "http://a", "pattern": "(a+)+"})
