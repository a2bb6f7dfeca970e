"""Clusters: a partition by content, whatever the order of the answers."""

from __future__ import annotations

import random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from consensus import answers
from consensus.answers import Sameness, clustering
from consensus.types import AnswerSpec, LabelsSpec, LabelValue, NumberSpec, ObjectSpec, TextSpec

NEAR = NumberSpec(abs_tolerance=1)
TEXT = TextSpec(equivalence="exact")
NUMBERS = st.lists(st.none() | st.integers(-6, 6) | st.floats(-6, 6, allow_nan=False), max_size=9)


def test_numbers_within_tolerance() -> None:
    """Values gather around the one given most often."""
    groups = answers.clusters(NEAR, [1, 2, 3, 2, None, 5])
    assert groups == (0, 0, 1, 0, None, 2)
    assert answers.representatives(NEAR, [1, 2, 3, 2, None, 5], groups) == (2, 3, 5)


def test_no_chain_of_small_steps() -> None:
    """0, 1, 2, 3 with a tolerance of 1 are two pairs, not one agreement."""
    assert answers.clusters(NEAR, [0, 1, 2, 3]) == (0, 0, 1, 1)


def test_numbering_is_by_content() -> None:
    """Numbers ascend with the clusters' values, not with who was first or how many agree."""
    assert answers.clusters(NumberSpec(), [9, 5, 9]) == (1, 0, 1)


def test_one_and_true_are_two_values() -> None:
    """Python's equality of 1 and True does not merge objects."""
    spec = ObjectSpec.model_validate({"schema": {}})
    assert answers.clusters(spec, [{"a": 1}, {"a": True}, {"a": 1.0}]) in ((0, 1, 0), (1, 0, 1))


@given(NUMBERS, st.randoms(use_true_random=False))
def test_partition_does_not_depend_on_order(values: list[Any], rng: random.Random) -> None:
    """Each value has the same cluster number and representative in any order."""
    order = list(range(len(values)))
    rng.shuffle(order)
    groups = answers.clusters(NEAR, values)
    shuffled = answers.clusters(NEAR, [values[i] for i in order])
    assert [groups[i] for i in order] == list(shuffled)
    once = answers.representatives(NEAR, values, groups)
    assert once == answers.representatives(NEAR, [values[i] for i in order], shuffled)


@given(NUMBERS)
def test_clusters_are_cliques(values: list[Any]) -> None:
    """Every two members are the same, equal values share a cluster, numbers are 0… without gaps."""
    groups = answers.clusters(NEAR, values)
    for a, g in zip(values, groups, strict=True):
        assert (a is None) == (g is None)
        for b, h in zip(values, groups, strict=True):
            if g is not None and g == h:
                assert answers.sameness(NEAR, a, b) is Sameness.SAME
            if a is not None and a == b:
                assert g == h
    used = {g for g in groups if g is not None}
    assert used == set(range(len(used)))


SPECS: list[tuple[AnswerSpec, st.SearchStrategy[Any]]] = [
    (NumberSpec(rel_tolerance=0.1), st.floats(allow_nan=False, allow_infinity=False)),
    (LabelsSpec(options=("a", "b", "c")), st.lists(st.sampled_from("abc"), unique=True).map(sorted)),  # type: ignore[arg-type]
    (
        ObjectSpec.model_validate({"schema": {}, "weights": {"/a": 9, "/b": 1}}),
        st.dictionaries(st.sampled_from("abc"), st.integers(0, 2)),
    ),
    (TextSpec(), st.text(max_size=30)),
]


@given(st.data())
def test_sameness_is_reflexive_and_symmetric(data: st.DataObject) -> None:
    """For every open type."""
    spec, values = data.draw(st.sampled_from(SPECS))
    a, b = data.draw(values), data.draw(values)
    assert answers.sameness(spec, a, a) is Sameness.SAME
    assert answers.sameness(spec, a, b) is answers.sameness(spec, b, a)


def test_a_judge_decides_what_is_undecided() -> None:
    """SAME of a judge merges an undecided pair; it never overrules DIFFERENT, and a contradiction decides nothing."""
    table = {
        frozenset("ab"): Sameness.UNDECIDED,
        frozenset("ac"): Sameness.DIFFERENT,
        frozenset("bc"): Sameness.UNDECIDED,
    }

    def same(a: LabelValue, b: LabelValue) -> Sameness:
        return Sameness.SAME if a == b else table[frozenset((str(a), str(b)))]

    values: list[LabelValue | None] = ["a", "b", "c", "a"]
    assert clustering.clusters(same, values, {}) == (0, 1, 2, 0)
    assert clustering.clusters(same, values, {(0, 1): Sameness.SAME}) == (0, 0, 1, 0)
    assert clustering.clusters(same, values, {(1, 3): Sameness.SAME}) == (0, 0, 1, 0)
    assert clustering.clusters(same, values, {(0, 2): Sameness.SAME}) == (0, 1, 2, 0)
    assert clustering.clusters(same, values, {(0, 1): Sameness.SAME, (1, 3): Sameness.DIFFERENT}) == (0, 1, 2, 0)
    assert clustering.clusters(same, values, {(0, 1): Sameness.SAME, (1, 2): Sameness.SAME}) == (0, 0, 1, 0)


def test_nothing_to_cluster() -> None:
    """No answers, no clusters."""
    assert answers.clusters(NEAR, []) == ()
    assert answers.clusters(NEAR, [None, None]) == (None, None)
    assert answers.representatives(NEAR, [None], (None,)) == ()
