"""Recorded panels: what real models answered, each reply read as the service reads it.

Two formats of (gzipped) JSON lines, told apart by ``options``:

- choice: ``{"id", "category", "question", "options": [text…], "gold": "C", "answers": {model: {"family", "text",
  "choice": "C" | null}}}``; ``choice`` is what somebody else's expression found in the text.
- open: ``{"id", "question", "gold": [text…], "answers": {model: {"family", "text", "correct": bool}}}``; people judged
  each answer.

A model that is missing from ``answers`` was not recorded for the question: it counts as not asked.
"""

from __future__ import annotations

import gzip
import hashlib
import heapq
import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from consensus import answers
from consensus.errors import ConfigError
from consensus.types import Answer, AnswerSpec, ChoiceSpec, Label, Option, TextSpec

OPEN_DOMAIN = "open"
"""Domain of questions that name no category."""
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@dataclass(frozen=True)
class RecordedAnswer:
    """One model's reply. ``choice``: the recorded option id, None for none; ``correct``: people's judgement, if any."""

    family: str
    text: str
    choice: str | None = None
    correct: bool | None = None


@dataclass(frozen=True)
class RecordedQuestion:
    """One question with the replies of the models that were asked. ``gold``: an option id, or accepted texts."""

    id: str
    domain: str
    question: str
    spec: AnswerSpec
    gold: str | tuple[str, ...]
    answers: Mapping[str, RecordedAnswer]

    @cached_property
    def labels(self) -> dict[str, Label]:
        """Each reply as the service reads it."""
        return {
            model: answers.read(self.spec, Answer(model=model, family=reply.family, text=reply.text))
            for model, reply in self.answers.items()
        }


def recorded(
    path: str | Path, models: Sequence[str] | None = None, limit: int | None = None
) -> Iterator[RecordedQuestion]:
    """The questions of a recorded panel, with the replies of ``models`` (default: all).

    ``limit`` takes the first so many by the SHA-256 of their id, in that order: a fixed random sample. Raises
    ConfigError naming the line that cannot be read, or the model that the panel does not hold.
    """
    questions = _questions(Path(path), models)
    return questions if limit is None else iter(heapq.nsmallest(limit, questions, key=_place))


def _place(question: RecordedQuestion) -> str:
    return hashlib.sha256(question.id.encode()).hexdigest()


def _questions(path: Path, models: Sequence[str] | None) -> Iterator[RecordedQuestion]:
    seen: set[str] = set()
    known: set[str] = set()
    for number, line in _lines(path):
        try:
            question = _question(json.loads(line), models)
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


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Numbered lines that are not blank."""
    number = 0
    try:
        with path.open("rb") as raw:
            packed = raw.read(2) == b"\x1f\x8b"
        with gzip.open(path) if packed else path.open("rb") as lines:
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    yield number, line
    except (OSError, EOFError, zlib.error) as error:
        raise ConfigError(f"{path}:{number + 1}", f"cannot be read: {error}") from None


def _question(record: Mapping[str, Any], models: Sequence[str] | None) -> RecordedQuestion:
    replies = {name: reply for name, reply in record["answers"].items() if models is None or name in models}
    closed = "options" in record
    spec = _choice(record["options"]) if closed else TextSpec()
    known = {option.id for option in spec.options} if isinstance(spec, ChoiceSpec) else set()
    gold = str(record["gold"]) if closed else tuple(map(str, record["gold"]))
    if closed and gold not in known:
        raise ValueError(f"gold {gold!r} is none of the options")
    return RecordedQuestion(
        id=str(record["id"]),
        domain=str(record.get("category", OPEN_DOMAIN)),
        question=str(record["question"]),
        spec=spec,
        gold=gold,
        answers={name: _answer(reply, known) for name, reply in replies.items()},
    )


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
