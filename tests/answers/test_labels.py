"""Label sets: order and repetition do not count, anything unknown spoils the list."""

from __future__ import annotations

import pytest

from consensus import answers
from consensus.answers import Sameness
from consensus.answers.labels import masi
from consensus.errors import Malformed
from consensus.types import LabelKind, LabelsSpec, Option
from tests.answers.replies import label

SPEC = LabelsSpec(
    options=(Option(id="x", text="fraud"), Option(id="y", text="theft, petty"), Option(id="z", text="arson"))
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"answer": ["z", "x", "x"]}', ["x", "z"]),
        ('{"answer": []}', []),
        ('{"answer": "x, z"}', ["x", "z"]),
        ('{"answer": ["fraud", "theft, petty"]}', ["x", "y"]),
        ("The answer is z, x and y.", ["x", "y", "z"]),
        ("The answer is (x) and (z).", ["x", "z"]),
        ("Answer: fraud; arson", ["x", "z"]),
        ("The answer is none of these.", []),
        ("x", ["x"]),
        ("x\nz", ["x", "z"]),
    ],
)
def test_reads(text: str, value: list[str]) -> None:
    """Sorted ids."""
    assert label(SPEC, text).value == value


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ('{"answer": ["x", "q"]}', LabelKind.INVALID),
        ('{"answer": ["x", 1]}', LabelKind.INVALID),
        ('{"answer": ["x", null]}', LabelKind.INVALID),
        ('{"answer": {"x": true}}', LabelKind.INVALID),
        ("x marks the spot", LabelKind.INVALID),
        ("The answer is x. The answer is z.", LabelKind.CONFLICTING),
        ('{"answer": null}', LabelKind.ABSTAINED),
    ],
)
def test_no_opinion(text: str, kind: LabelKind) -> None:
    """A list with something unknown in it is not the list of the rest."""
    assert label(SPEC, text).kind is kind


@pytest.mark.parametrize(
    ("a", "b", "value"),
    [
        ([], [], 1.0),
        (["a"], ["a"], 1.0),
        (["a"], [], 0.0),
        (["a"], ["b"], 0.0),
        (["a"], ["a", "b"], 1 / 2 * 2 / 3),
        (["a", "b"], ["b", "c"], 1 / 3 * 1 / 3),
    ],
)
def test_masi(a: list[str], b: list[str], value: float) -> None:
    """Jaccard times monotonicity, by hand."""
    assert masi(a, b) == pytest.approx(value)
    assert masi(b, a) == pytest.approx(value)


def test_sameness_and_check() -> None:
    """Equal sets are the same; overlapping ones differ."""
    assert answers.sameness(SPEC, ["x"], ["x"]) is Sameness.SAME
    assert answers.sameness(SPEC, ["x"], ["x", "y"]) is Sameness.DIFFERENT
    assert answers.candidates(SPEC) is None
    assert answers.check(SPEC, ["z", "x", "z"]) == ["x", "z"]
    for value in ("x", ["q"], [1], None, {"x": 1}):
        with pytest.raises(Malformed):
            answers.check(SPEC, value)  # type: ignore[arg-type]
