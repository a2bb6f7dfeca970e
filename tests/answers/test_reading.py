"""From answers with failures, finish reasons and token probabilities to labels."""

from __future__ import annotations

import math

import pytest

from consensus import answers
from consensus.types import (
    Answer,
    BooleanSpec,
    ChoiceSpec,
    ConfidenceSource,
    Failure,
    LabelKind,
    NumberSpec,
    TokenLogprob,
)
from tests.answers.replies import label

SPEC = ChoiceSpec(options=("approve", "deny", "defer"))  # type: ignore[arg-type]
DENY = '{"reasoning": "…", "answer": "deny", "confidence": 0.8}'


@pytest.mark.parametrize(
    ("failure", "kind"),
    [
        (Failure.TIMEOUT, LabelKind.FAILED),
        (Failure.EMPTY, LabelKind.FAILED),
        (Failure.BUDGET, LabelKind.FAILED),
        (Failure.CONTENT_FILTER, LabelKind.REFUSED),
        (Failure.CANCELLED, LabelKind.CANCELLED),
        (Failure.NOT_RECORDED, LabelKind.NOT_ASKED),
    ],
)
def test_failures(failure: Failure, kind: LabelKind) -> None:
    """A failure is a label, and no text of a failed call is read."""
    assert answers.read(SPEC, Answer(model="m", family="f", text="deny", failure=failure)).kind is kind


def test_every_failure_is_a_label() -> None:
    """No failure is forgotten, none is an answer."""
    for failure in Failure:
        found = answers.read(SPEC, Answer(model="m", family="f", failure=failure))
        assert found.kind is not LabelKind.ANSWER


@pytest.mark.parametrize(
    ("text", "reason", "kind"),
    [
        (DENY, "stop", LabelKind.ANSWER),
        (DENY, None, LabelKind.ANSWER),
        (DENY, "a reason nobody knows", LabelKind.ANSWER),
        (DENY, "length", LabelKind.ANSWER),
        (DENY, "content_filter", LabelKind.REFUSED),
        ("The answer is deny. More of the", "length", LabelKind.ANSWER),
        ("The answer is deny", "length", LabelKind.TRUNCATED),
        ("Let us think about the", "length", LabelKind.TRUNCATED),
        ('{"reasoning": "The answer is deny, since', "length", LabelKind.TRUNCATED),
        ('{"reasoning": "…", "answer": "deny', "length", LabelKind.TRUNCATED),
        ("", "length", LabelKind.TRUNCATED),
        ("", "stop", LabelKind.INVALID),
    ],
)
def test_finish_reasons(text: str, reason: str | None, kind: LabelKind) -> None:
    """Cut off before the answer was over is truncated, whatever was said until then."""
    assert label(SPEC, text, finish_reason=reason).kind is kind


def test_a_number_that_may_go_on_is_truncated() -> None:
    """12 may have become 123."""
    assert label(NumberSpec(), "The answer is 12", finish_reason="length").kind is LabelKind.TRUNCATED
    assert label(NumberSpec(), "The answer is 12. And", finish_reason="length").value == 12


@pytest.mark.parametrize(
    ("text", "confidence"),
    [
        (DENY, 0.8),
        ('{"answer": "deny", "confidence": "85%"}', 0.85),
        ('{"answer": "deny", "confidence": 1}', 1.0),
        ('{"answer": "deny", "confidence": 85}', None),
        ('{"answer": "deny", "confidence": -0.1}', None),
        ('{"answer": "deny", "confidence": NaN}', None),
        ('{"answer": "deny", "confidence": 1e999}', None),
        ('{"answer": "deny", "confidence": true}', None),
        ('{"answer": "deny", "confidence": "high"}', None),
        ('{"answer": "deny", "confidence": [0.5]}', None),
        ('{"answer": "deny"}', None),
        ("The answer is deny. Confidence: 70%", 0.7),
        ("The answer is deny. **Confidence**: 0.7", 0.7),
        ("I am 95% sure. The answer is deny.", 0.95),
        ("The answer is deny. Confidence: 8/10", None),
        ("The answer is deny. Confidence: 120%", None),
    ],
)
def test_verbal_confidence(text: str, confidence: float | None) -> None:
    """A probability in [0, 1] or nothing."""
    found = label(SPEC, text)
    assert found.value == "deny"
    assert found.raw_confidence == confidence
    assert found.confidence_source is (ConfidenceSource.NONE if confidence is None else ConfidenceSource.VERBAL)


def _token(token: str, probability: float, **others: float) -> TokenLogprob:
    top = {token: probability, **others}
    return TokenLogprob(token=token, logprob=math.log(probability), top=tuple((t, math.log(p)) for t, p in top.items()))


def test_logprobs_are_renormalised_over_the_options() -> None:
    """Options that share a beginning are told apart by later tokens; what is no option has no mass."""
    tokens = (
        _token('{"answer":"', 0.9),
        _token("de", 0.6, app=0.2, whatever=0.2),
        _token("ny", 0.7, fer=0.2, er=0.1),
        _token('"}', 0.99),
    )
    found = label(SPEC, '{"answer":"deny"}', logprobs=tokens)
    assert found.confidence_source is ConfidenceSource.LOGPROB
    assert found.raw_confidence == pytest.approx((0.6 / 0.8) * (0.7 / 0.9))


def test_logprobs_with_punctuation_in_the_token() -> None:
    """A token may hold the quote before the answer or after it."""
    tokens = (
        _token('{"answer":', 0.9),
        TokenLogprob(token='"deny', logprob=math.log(0.5), top=(('"defer', math.log(0.3)),)),
        _token('"}', 1.0),
    )
    assert label(SPEC, '{"answer":"deny"}', logprobs=tokens).raw_confidence == pytest.approx(0.5 / 0.8)


def test_logprobs_of_a_boolean() -> None:
    """JSON true and false are the two options."""
    tokens = (_token('{"answer":', 0.9), _token(" true", 0.6, **{" false": 0.3}), _token("}", 1.0))
    assert label(BooleanSpec(), '{"answer": true}', logprobs=tokens).raw_confidence == pytest.approx(2 / 3)


def test_logprobs_that_do_not_fit_are_not_used() -> None:
    """Tokens that do not spell the reply, or an answer in other words, leave the verbal confidence."""
    other = label(SPEC, DENY, logprobs=(_token("deny", 0.5),))
    assert (other.raw_confidence, other.confidence_source) == (0.8, ConfidenceSource.VERBAL)
    spelled = label(SPEC, "The answer is approve", logprobs=(_token("The answer is approve", 0.5),))
    assert spelled.confidence_source is ConfidenceSource.LOGPROB
    assert spelled.raw_confidence == 1.0


def test_surface_is_what_the_model_wrote() -> None:
    """Two spellings of one answer have one value and two surfaces."""
    one, two = label(SPEC, "The answer is Deny."), label(SPEC, '{"answer": "deny"}')
    assert one.value == two.value
    assert (one.surface, two.surface) == ("Deny", "deny")


def test_lone_surrogates_are_replaced() -> None:
    """A label can always be written as UTF-8."""
    found = label(SPEC, '{"answer": "\ud800"}')
    assert found.kind is LabelKind.INVALID
    found.model_dump_json().encode()
