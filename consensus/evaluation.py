"""Recorded panels in numbers: how well their replies are read, and their ballots with the known truth."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from calibration.ballots import NONE_OF_THESE, UNKNOWN, Ballots, NoVote
from consensus import answers
from consensus.equivalence import Metrics, equivalence_metrics
from consensus.errors import ConfigError
from consensus.recorded_panel import RecordedAnswer, RecordedQuestion, recorded
from consensus.types import ChoiceSpec, LabelKind

__all__ = ["RecordedAnswer", "RecordedQuestion", "ballots", "equivalence", "reading_metrics", "recorded"]


def reading_metrics(questions: Iterable[RecordedQuestion]) -> dict[str, float | int | None]:
    """How our reading of the texts compares with the recorded choices.

    ``recorded``             count of replies with a recorded choice.
    ``conflicting``          share of them that we call conflicting.
    ``match``                share of the others that we read as the recorded choice; what we do not read is no match.
    ``read_extra``           count of replies that we read where no choice was recorded.
    ``read_extra_accuracy``  share of those that are right.

    Shares of nothing are None.
    """
    total = conflicting = match = extra = right = 0
    for question in questions:
        for model, reply in question.answers.items():
            label = question.labels[model]
            if reply.choice is not None:
                total += 1
                conflicting += label.kind is LabelKind.CONFLICTING
                match += label.value == reply.choice
            elif isinstance(question.spec, ChoiceSpec) and label.kind is LabelKind.ANSWER:
                extra += 1
                right += label.value == question.gold
    return {
        "match": _share(match, total - conflicting),
        "recorded": total,
        "read_extra": extra,
        "read_extra_accuracy": _share(right, extra),
        "conflicting": _share(conflicting, total),
    }


def equivalence(questions: Iterable[RecordedQuestion]) -> Metrics | None:
    """How well sameness of free texts works on answers that people judged; ``None`` where nobody did."""
    judged = [
        {
            "id": question.id,
            "question": question.question,
            "answers": {
                model: {"text": reply.text, "correct": reply.correct}
                for model, reply in question.answers.items()
                if reply.correct is not None
            },
        }
        for question in questions
        if not isinstance(question.spec, ChoiceSpec)
    ]
    return equivalence_metrics(judged) if judged else None


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


@dataclass(frozen=True)
class _Row:
    votes: list[int]
    candidates: int
    truth: int
    confidence: list[float]
    right: frozenset[int]


def ballots(
    questions: Iterable[RecordedQuestion], models: Sequence[str], use: Literal["recorded", "text"] = "recorded"
) -> Ballots:
    """The panel's ballots, one column per model of ``models``.

    ``use="recorded"`` takes the recorded choice of a choice question (none recorded: abstained); ``"text"`` reads the
    reply. Open answers are always read: candidates are the clusters of the answers, and the truth is the largest of
    those that hold an answer judged correct (of equally large ones the first), `NONE_OF_THESE` where there is none,
    `UNKNOWN` where nobody judged. All clusters with an answer judged correct are right: answers of one meaning are not
    always known to be the same.
    """
    kept = list(questions)
    rows = [_row(question, models, use) for question in kept]
    shape = (len(kept), len(models))
    return Ballots(
        models=tuple(models),
        families=tuple(_family(kept, model) for model in models),
        domains=tuple(question.domain for question in kept),
        answer_types=tuple(question.spec.type for question in kept),
        ids=tuple(question.id for question in kept),
        votes=np.array([row.votes for row in rows], dtype=np.int64).reshape(shape),
        candidates=np.array([row.candidates for row in rows], dtype=np.int64),
        open_set=np.array([not isinstance(question.spec, ChoiceSpec) for question in kept], dtype=np.bool_),
        truth=np.array([row.truth for row in rows], dtype=np.int64),
        confidence=np.array([row.confidence for row in rows], dtype=np.float64).reshape(shape),
        right=_right(rows),
    )


def _right(rows: Sequence[_Row]) -> NDArray[np.bool_]:
    """Bool (n, w): the right candidates of each row."""
    table = np.zeros((len(rows), max((row.candidates for row in rows), default=0)), dtype=np.bool_)
    for number, row in enumerate(rows):
        table[number, sorted(row.right)] = True
    return table


def _family(questions: Sequence[RecordedQuestion], model: str) -> str:
    for question in questions:
        if model in question.answers:
            return question.answers[model].family
    raise ConfigError("models", f"the panel holds no answer of {model!r}")


def _row(question: RecordedQuestion, models: Sequence[str], use: str) -> _Row:
    closed = answers.candidates(question.spec)
    if closed is None:
        return _open_row(question, models)
    if use == "text":
        groups = answers.clusters(question.spec, _values(question, models), question=question.question)
        votes = [_vote(question, model, group) for model, group in zip(models, groups, strict=True)]
        confidence = [_confidence(question, model) for model in models]
    else:
        votes = [_recorded_vote(question, model, closed) for model in models]
        confidence = [float("nan")] * len(models)
    truth = closed.index(question.gold)
    return _Row(votes, len(closed), truth, confidence, frozenset({truth}))


def _open_row(question: RecordedQuestion, models: Sequence[str]) -> _Row:
    groups = answers.clusters(question.spec, _values(question, models), question=question.question)
    votes = [_vote(question, model, group) for model, group in zip(models, groups, strict=True)]
    judged = {model: question.answers[model].correct for model in models if model in question.answers}
    right = {vote for model, vote in zip(models, votes, strict=True) if judged.get(model) and vote >= 0}
    known = any(verdict is not None for verdict in judged.values())
    truth = min(right, key=lambda group: (-votes.count(group), group), default=NONE_OF_THESE if known else UNKNOWN)
    count = max((vote + 1 for vote in votes if vote >= 0), default=0)
    return _Row(votes, count, truth, [_confidence(question, model) for model in models], frozenset(right))


def _values(question: RecordedQuestion, models: Sequence[str]) -> list[Any]:
    return [question.labels[model].value if model in question.labels else None for model in models]


def _vote(question: RecordedQuestion, model: str, group: int | None) -> int:
    if model not in question.labels:
        return NoVote.NOT_ASKED
    return NoVote[question.labels[model].kind.name] if group is None else group


def _recorded_vote(question: RecordedQuestion, model: str, closed: Sequence[Any]) -> int:
    if model not in question.answers:
        return NoVote.NOT_ASKED
    choice = question.answers[model].choice
    return NoVote.ABSTAINED if choice is None else closed.index(choice)


def _confidence(question: RecordedQuestion, model: str) -> float:
    confidence = question.labels[model].raw_confidence if model in question.labels else None
    return float("nan") if confidence is None else confidence
