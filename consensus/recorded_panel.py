"""Recorded panels: what real models answered, each reply read as the service reads it.

Three formats of (gzipped) JSON lines, told apart by ``answer`` and ``options``:

- choice: ``{"id", "category", "question", "options": [text…], "gold": "C", "answers": {model: {"family", "text",
  "choice": "C" | null}}}``; ``choice`` is what somebody else's expression found in the text.
- open: ``{"id", "question", "gold": [text…], "answers": {model: {"family", "text", "correct": bool}}}``; people judged
  each answer.

- own: a Request with ``gold`` as in `consensus.gold`, and ``answers``: {model: {"family", "text", "failure",
  "model_version", "cost", …}}, the whole of what a model of the configuration said.

A model that is missing from ``answers`` was not recorded for the question: it counts as not asked.
"""

from __future__ import annotations

import hashlib
import heapq
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from consensus import answers, gold
from consensus.answers.prompting import question as question_of
from consensus.case import nonce_of
from consensus.errors import ConfigError, Malformed
from consensus.jsonl import numbered
from consensus.types import Answer, AnswerSpec, ChoiceSpec, Label, LabelValue, Option, Request, TextSpec
from consensus.wire import payload_hash as payload

OPEN_DOMAIN = "open"
"""Domain of questions that name no category."""
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@dataclass(frozen=True)
class RecordedAnswer:
    """One model's reply.

    ``choice``: the recorded option id, None for none; ``correct``: people's judgement, if any; ``said``: all that the
    model's provider returned, where that was kept (then ``text`` is empty for a failure).
    """

    family: str
    text: str
    choice: str | None = None
    correct: bool | None = None
    said: Answer | None = None


@dataclass(frozen=True)
class RecordedQuestion:
    """One question with the replies of the models that were asked.

    ``gold``: an option id (choice), accepted texts (open), or a label in the form of the spec, ``None`` where no answer
    is right (own; then ``request`` is the whole request).
    """

    id: str
    domain: str
    question: str
    spec: AnswerSpec
    gold: LabelValue | tuple[str, ...]
    answers: Mapping[str, RecordedAnswer]
    request: Request | None = None

    @cached_property
    def labels(self) -> dict[str, Label]:
        """Each reply as the service reads it."""
        nonce = "" if self.request is None else nonce_of(self.request)
        return {model: answers.read(self.spec, self.said(model), nonce) for model in self.answers}

    @property
    def label(self) -> LabelValue:
        """``gold`` as one label; of several accepted texts the first."""
        return self.gold[0] if isinstance(self.gold, tuple) else self.gold

    def said(self, model: str) -> Answer:
        """The reply of a model that was asked as the service would have it."""
        reply = self.answers[model]
        return reply.said or Answer(model=model, family=reply.family, text=reply.text)


def recorded(
    path: str | Path, models: Sequence[str] | None = None, limit: int | None = None
) -> Iterator[RecordedQuestion]:
    """The questions of a recorded panel, with the replies of ``models`` (default: all).

    ``limit`` takes the first so many by the SHA-256 of their id, in that order: a fixed random sample. Raises
    ConfigError naming the line that cannot be read, or the model that the panel does not hold.
    """
    questions = _questions(Path(path), models)
    return questions if limit is None else iter(heapq.nsmallest(limit, questions, key=_place))


def answered(cases: Iterable[gold.GoldCase], questions: Iterable[RecordedQuestion]) -> list[RecordedQuestion]:
    """The cases that have recorded answers, found by their id, with those answers and the cases' own gold.

    Raises ConfigError where a record of that id is of another question, or no case has one.
    """
    by_id = {question.id: question for question in questions}
    found = [_joined(case, by_id[case.key]) for case in cases if case.key in by_id]
    if not found:
        raise ConfigError("--panel", "holds answers to none of the cases: their ids differ")
    return found


def _joined(case: gold.GoldCase, question: RecordedQuestion) -> RecordedQuestion:
    asked = question.request
    same = question.question == question_of(case.request) if asked is None else payload(asked) == payload(case.request)
    if not same:
        raise ConfigError("--panel", f"holds answers to another question under the id {case.key!r}")
    return _own(case, question.answers)


def _place(question: RecordedQuestion) -> str:
    return hashlib.sha256(question.id.encode()).hexdigest()


def _questions(path: Path, models: Sequence[str] | None) -> Iterator[RecordedQuestion]:
    seen: set[str] = set()
    known: set[str] = set()
    for number, line in numbered(path):
        try:
            question = _question(json.loads(line), models)
        except Malformed as error:
            raise ConfigError(f"{path}:{number}", str(error)) from None
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ConfigError(f"{path}:{number}", f"is no recorded question: {error!r}") from None
        if question.id in seen:
            raise ConfigError(f"{path}:{number}", f"repeats the id {question.id!r}")
        seen.add(question.id)
        known.update(question.answers)
        yield question
    for model in models or ():
        if model not in known:
            raise ConfigError("models", f"{path} holds no answer of {model!r}")


def _question(record: Mapping[str, Any], models: Sequence[str] | None) -> RecordedQuestion:
    replies = {name: reply for name, reply in record["answers"].items() if models is None or name in models}
    if "answer" in record:
        return _own(gold.read_recorded(record), {name: _said(name, reply) for name, reply in replies.items()})
    closed = "options" in record
    spec = _choice(record["options"]) if closed else TextSpec()
    known = {option.id for option in spec.options} if isinstance(spec, ChoiceSpec) else set()
    right = str(record["gold"]) if closed else tuple(map(str, record["gold"]))
    if closed and right not in known:
        raise ValueError(f"gold {right!r} is none of the options")
    return RecordedQuestion(
        id=str(record["id"]),
        domain=str(record.get("category", OPEN_DOMAIN)),
        question=str(record["question"]),
        spec=spec,
        gold=right,
        answers={name: _answer(reply, known) for name, reply in replies.items()},
    )


def _own(case: gold.GoldCase, replies: Mapping[str, RecordedAnswer]) -> RecordedQuestion:
    return RecordedQuestion(
        id=case.key,
        domain=case.request.domain,
        question=question_of(case.request),
        spec=case.request.answer,
        gold=case.gold,
        answers=replies,
        request=case.request,
    )


def _said(model: str, reply: Mapping[str, Any]) -> RecordedAnswer:
    try:
        answer = Answer.model_validate({**reply, "model": model})
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, ("answers", model, *first["loc"])))
        raise Malformed(str(first["msg"]), field=where) from None
    return RecordedAnswer(answer.family, answer.text or "", said=answer)


def _choice(options: Sequence[str]) -> ChoiceSpec:
    if not 2 <= len(options) <= len(_LETTERS):
        raise ValueError(f"{len(options)} options")
    # A few published questions have an empty option; it keeps its letter.
    return ChoiceSpec(
        options=tuple(Option(id=i, text=text or f"({i})") for i, text in zip(_LETTERS, options, strict=False))
    )


def _answer(reply: Mapping[str, Any], known: set[str]) -> RecordedAnswer:
    choice, correct = reply.get("choice"), reply.get("correct")
    if choice is not None and choice not in known:
        raise ValueError(f"choice {choice!r} is none of the options")
    if not isinstance(reply["text"], str) or not isinstance(correct, bool | None):
        raise TypeError("text must be a string and correct a boolean")
    return RecordedAnswer(str(reply["family"]), reply["text"], choice, correct)
