"""From an answer (text or typed failure) to a label."""

from __future__ import annotations

from consensus.answers import confidence
from consensus.answers.injection import marks_of_reply
from consensus.answers.protocol import AnswerType, Ask, Reading
from consensus.types import Answer, AnswerSpec, ConfidenceSource, Failure, Label, LabelKind

_OF_FAILURE = {
    Failure.CONTENT_FILTER: LabelKind.REFUSED,
    Failure.NOT_RECORDED: LabelKind.NOT_ASKED,
    Failure.CANCELLED: LabelKind.CANCELLED,
}
_CUT_OFF = frozenset({"length", "max_tokens", "MAX_TOKENS"})
_FILTERED = frozenset({"content_filter", "safety", "SAFETY", "refusal"})


def read(kind: AnswerType[AnswerSpec], spec: AnswerSpec, answer: Answer, nonce: str) -> Label:
    """The label of one answer. Never raises on any text."""
    if answer.failure is not None:
        return Label(kind=_OF_FAILURE.get(answer.failure, LabelKind.FAILED))
    if answer.finish_reason in _FILTERED:
        return Label(kind=LabelKind.REFUSED)
    text = _encodable(answer.text or "")
    marks = marks_of_reply(text, nonce)
    reading = kind.read(spec, text)
    if answer.finish_reason in _CUT_OFF and not _complete(reading, text):
        return Label(kind=LabelKind.TRUNCATED, marks=marks)
    if reading.kind is not LabelKind.ANSWER:
        return Label(kind=reading.kind, surface=reading.surface, marks=_union(marks, reading.marks))
    value, source = _confidence(kind.ask(spec), text, answer, reading)
    return Label(
        kind=LabelKind.ANSWER,
        value=reading.value,
        surface=reading.surface,
        raw_confidence=value,
        confidence_source=source,
        marks=_union(marks, reading.marks),
    )


def _encodable(text: str) -> str:
    """Lone surrogates replaced: they cannot be written as UTF-8."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _complete(reading: Reading, text: str) -> bool:
    """Whether the answer was over before the text was cut off: something must follow it."""
    if reading.kind is not LabelKind.ANSWER or reading.span is None:
        return False
    return reading.span[1] < len(text.rstrip())


def _union(a: tuple[str, ...], b: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*a, *b)))


def _confidence(ask: Ask, text: str, answer: Answer, reading: Reading) -> tuple[float | None, ConfidenceSource]:
    """Token probabilities where they are there and fit, else what the model said."""
    if answer.logprobs and ask.options and reading.span is not None:
        written = text[slice(*reading.span)]
        chosen = next((o for o in ask.options if written.casefold().startswith(o.casefold()) and _is(o, reading)), None)
        if chosen is not None:
            value = confidence.from_tokens(text, answer.logprobs, reading.span, written[: len(chosen)], ask.options)
            if value is not None:
                return value, ConfidenceSource.LOGPROB
    if reading.raw_confidence is None:
        return None, ConfidenceSource.NONE
    return reading.raw_confidence, ConfidenceSource.VERBAL


def _is(option: str, reading: Reading) -> bool:
    """Whether the option's word stands for the value that was read."""
    return reading.value == option or (isinstance(reading.value, bool) and option == str(reading.value).lower())
