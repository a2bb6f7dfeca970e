"""Boolean: true and false, yes and no."""

from __future__ import annotations

import pytest

from consensus import answers
from consensus.answers import Sameness
from consensus.errors import Malformed
from consensus.types import BooleanSpec, LabelKind
from tests.answers.replies import label

SPEC = BooleanSpec()


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"answer": true, "confidence": 0.7}', True),
        ('{"answer": false}', False),
        ('{"answer": "No"}', False),
        ("The answer is yes.", True),
        ("Answer: **False**", False),
        (r"\boxed{\text{True}}", True),
        ("Yes", True),
        ("No, the clause is void.", False),
        ("Yes. It is. The answer is yes.", True),
        ("Answer: no\nWait, that is wrong. Answer: yes", True),
    ],
)
def test_reads(text: str, value: bool) -> None:
    """JSON booleans, words, and replies that begin with the word."""
    assert label(SPEC, text).value is value


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("The answer is yes. The answer is no.", LabelKind.CONFLICTING),
        ("The answer is yes or no.", LabelKind.CONFLICTING),
        ("Yes and no.", LabelKind.INVALID),
        ('{"answer": 1}', LabelKind.INVALID),
        ('{"answer": "maybe"}', LabelKind.INVALID),
        ("The answer is no longer known.", LabelKind.INVALID),
        ("Nobody knows whether that is true", LabelKind.INVALID),
        ("The answer is no one", LabelKind.INVALID),
        ('{"answer": null}', LabelKind.ABSTAINED),
    ],
)
def test_no_opinion(text: str, kind: LabelKind) -> None:
    """Words that merely occur are no answer."""
    assert label(SPEC, text).kind is kind


def test_closed_spec() -> None:
    """True and False, in this order; 1 and 0 are no booleans."""
    assert answers.candidates(SPEC) == (True, False)
    assert answers.clusters(SPEC, [False, None, True]) == (1, None, 0)
    assert answers.sameness(SPEC, True, False) is Sameness.DIFFERENT
    assert answers.check(SPEC, False) is False
    for value in (1, 0, "true", None):
        with pytest.raises(Malformed):
            answers.check(SPEC, value)
