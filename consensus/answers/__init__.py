"""Answers of every type: how to ask for them, how to read them, when two are the same. Pure.

Each module of a type exposes ``TYPE``, an `AnswerType`; everything else goes through the functions below.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from consensus.answers import boolean, choice, clustering, labels, number, object, prompting, reading, text  # noqa: A004
from consensus.answers.protocol import AnswerType, Ask, Reading, Sameness
from consensus.models.protocol import Prompt
from consensus.types import Answer, AnswerSpec, BooleanSpec, ChoiceSpec, Label, LabelValue, Request, TextSpec

__all__ = [
    "TYPES",
    "AnswerType",
    "Ask",
    "Reading",
    "Sameness",
    "candidates",
    "check",
    "clusters",
    "prompt",
    "read",
    "representatives",
    "sameness",
]

TYPES: dict[str, AnswerType[Any]] = {
    "choice": choice.TYPE,
    "boolean": boolean.TYPE,
    "number": number.TYPE,
    "labels": labels.TYPE,
    "object": object.TYPE,
    "text": text.TYPE,
}
"""The answer types by the name that a spec has for them."""


def prompt(request: Request, nonce: str) -> Prompt:
    """The prompt for a request. ``nonce`` must be unknown to whoever wrote its text; the same one reads the reply."""
    return prompting.prompt(request, TYPES[request.answer.type].ask(request.answer), nonce)


def read(spec: AnswerSpec, answer: Answer, nonce: str = "") -> Label:
    """The label of an answer. Failures, refusals, abstentions and unreadable replies are labels too; never raises."""
    return reading.read(TYPES[spec.type], spec, answer, nonce)


def sameness(spec: AnswerSpec, a: LabelValue, b: LabelValue, question: str = "") -> Sameness:
    """Whether two canonical values mean the same. Reflexive and symmetric, not always transitive.

    ``question``: what both answer, where it is known; free texts are told apart better with it.
    """
    if isinstance(spec, TextSpec):
        return text.TYPE.same(spec, a, b, question)
    return TYPES[spec.type].same(spec, a, b)


def check(spec: AnswerSpec, value: LabelValue) -> LabelValue:
    """Canonical form of a label that a person or an outcome supplied. Raises Malformed (field ``answer``)."""
    return TYPES[spec.type].check(spec, value)


def candidates(spec: AnswerSpec) -> tuple[LabelValue, ...] | None:
    """All possible answers of a closed spec: option ids in the request's order, or True and False. None when open."""
    if isinstance(spec, ChoiceSpec):
        return tuple(option.id for option in spec.options)
    return (True, False) if isinstance(spec, BooleanSpec) else None


def clusters(
    spec: AnswerSpec,
    values: Sequence[LabelValue | None],
    judged: Mapping[tuple[int, int], Sameness] | None = None,
    question: str = "",
) -> tuple[int | None, ...]:
    """The cluster of each value, None for None.

    Closed specs: the index into `candidates`. Open ones: 0… in an order of the answers' content; the partition does not
    depend on the order of ``values`` (see `clustering`). ``judged`` holds an equivalence judge's verdicts on pairs of
    positions; it decides only what `sameness` leaves undecided. ``question`` as there.
    """
    closed = candidates(spec)
    if closed is not None:
        return tuple(None if value is None else closed.index(value) for value in values)
    return clustering.clusters(lambda a, b: sameness(spec, a, b, question), values, judged or {})


def representatives(
    spec: AnswerSpec, values: Sequence[LabelValue | None], groups: Sequence[int | None]
) -> tuple[LabelValue, ...]:
    """One value per cluster of an open spec, in the clusters' order, chosen without looking at who said it."""
    return candidates(spec) or clustering.representatives(values, groups)
