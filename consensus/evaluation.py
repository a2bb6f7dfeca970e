"""Recorded panels in numbers: how well their replies are read, and their ballots with the known truth."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from calibration.ballots import NONE_OF_THESE, UNKNOWN, Ballots, NoVote
from calibration.store.outcomes import UNUSABLE
from consensus import answers
from consensus.aggregation import stratum, vote
from consensus.ballot import build, unheard
from consensus.equivalence import Metrics, equivalence_metrics
from consensus.errors import ConfigError
from consensus.recorded_panel import RecordedAnswer, RecordedQuestion, recorded
from consensus.truth import right_among
from consensus.types import ChoiceSpec, Label, LabelKind

__all__ = ["RecordedAnswer", "RecordedQuestion", "ballots", "equivalence", "prices", "reading_metrics", "recorded"]

Origin = tuple[str, str, str]
"""(source, model version, prompt hash) of a stated confidence, "" where unknown."""


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
        if isinstance(question.gold, tuple)
    ]
    return equivalence_metrics(judged) if judged else None


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


@dataclass(frozen=True)
class _Row:
    """One ballot. ``origins``: where each member's own confidence comes from, ``None`` where it states none."""

    votes: list[int]
    candidates: int
    truth: int
    right: frozenset[int]
    confidence: list[float]
    origins: list[Origin | None]


def ballots(
    questions: Iterable[RecordedQuestion], models: Sequence[str], use: Literal["recorded", "text"] = "recorded"
) -> Ballots:
    """The panel's ballots, one column per model of ``models``.

    ``use="recorded"`` takes the recorded choice of a choice question (none recorded: abstained); ``"text"`` reads the
    reply. Open answers are always read: candidates are the clusters of the answers, and the truth is the largest of
    those that hold an answer judged correct (of equally large ones the first), `NONE_OF_THESE` where there is none,
    `UNKNOWN` where nobody judged. All clusters with an answer judged correct are right: answers of one meaning are not
    always known to be the same. A user's own cases are read and grouped as the service does; the truth is the candidate
    that means the same as ``gold``, `UNKNOWN` where that cannot be told.
    """
    kept = list(questions)
    rows = [_row(question, models, use) for question in kept]
    shape = (len(kept), len(models))
    sources, source = _sources(rows)
    return Ballots(
        models=tuple(models),
        families=tuple(_family(kept, model) for model in models),
        domains=tuple(question.domain for question in kept),
        answer_types=tuple(stratum(question.spec) for question in kept),
        ids=tuple(question.id for question in kept),
        votes=np.array([row.votes for row in rows], dtype=np.int64).reshape(shape),
        candidates=np.array([row.candidates for row in rows], dtype=np.int64),
        open_set=np.array([answers.candidates(question.spec) is None for question in kept], dtype=np.bool_),
        truth=np.array([row.truth for row in rows], dtype=np.int64),
        confidence=np.array([row.confidence for row in rows], dtype=np.float64).reshape(shape),
        sources=sources,
        source=source.reshape(shape),
        right=_right(rows),
    )


def prices(questions: Iterable[RecordedQuestion]) -> dict[str, float]:
    """Dollars per call of each model, the mean of what its recorded calls cost; empty where some have no price."""
    costs: dict[str, list[float]] = {}
    for question in questions:
        for model, reply in question.answers.items():
            costs.setdefault(model, []).append(0.0 if reply.said is None else reply.said.cost)
    found = {model: sum(some) / len(some) for model, some in costs.items()}
    return found if all(found.values()) else {}


def _right(rows: Sequence[_Row]) -> NDArray[np.bool_]:
    """Bool (n, w): the right candidates of each row."""
    table = np.zeros((len(rows), max((row.candidates for row in rows), default=0)), dtype=np.bool_)
    for number, row in enumerate(rows):
        table[number, sorted(row.right)] = True
    return table


def _sources(rows: Sequence[_Row]) -> tuple[tuple[Origin, ...], NDArray[np.int64]]:
    """The distinct origins of confidences, and each cell's index into them, -1 for none; flat."""
    flat = [origin for row in rows for origin in row.origins]
    sources = tuple(sorted({origin for origin in flat if origin is not None}))
    number = {origin: index for index, origin in enumerate(sources)}
    return sources, np.array([-1 if origin is None else number[origin] for origin in flat], dtype=np.int64)


def _family(questions: Sequence[RecordedQuestion], model: str) -> str:
    for question in questions:
        if model in question.answers:
            return question.answers[model].family
    raise ConfigError("models", f"the panel holds no answer of {model!r}")


def _row(question: RecordedQuestion, models: Sequence[str], use: str) -> _Row:
    if question.request is not None:
        return _own_row(question, models)
    closed = answers.candidates(question.spec)
    if closed is None:
        return _open_row(question, models)
    if use == "text":
        groups = answers.clusters(question.spec, _values(question, models), question=question.question)
        votes = [_vote(question, model, group) for model, group in zip(models, groups, strict=True)]
        labels = [question.labels.get(model) for model in models]
    else:
        votes = [_recorded_vote(question, model, closed) for model in models]
        labels = [None] * len(models)
    truth = closed.index(question.gold)
    return _Row(votes, len(closed), truth, frozenset({truth}), *_confidences(labels))


def _open_row(question: RecordedQuestion, models: Sequence[str]) -> _Row:
    groups = answers.clusters(question.spec, _values(question, models), question=question.question)
    votes = [_vote(question, model, group) for model, group in zip(models, groups, strict=True)]
    judged = {model: question.answers[model].correct for model in models if model in question.answers}
    right = {vote for model, vote in zip(models, votes, strict=True) if judged.get(model) and vote >= 0}
    known = any(verdict is not None for verdict in judged.values())
    truth = min(right, key=lambda group: (-votes.count(group), group), default=NONE_OF_THESE if known else UNKNOWN)
    count = max((vote + 1 for vote in votes if vote >= 0), default=0)
    return _Row(votes, count, truth, frozenset(right), *_confidences([question.labels.get(model) for model in models]))


def _own_row(question: RecordedQuestion, models: Sequence[str]) -> _Row:
    """A user's own case, from answers to candidates by the functions that decide."""
    heard = {model: (question.said(model), question.labels[model]) for model in question.answers}
    read = [heard.get(model) or unheard(model, "", LabelKind.NOT_ASKED) for model in models]
    ballot = build(question.spec, read, question=question.question)
    truth = right_among(question.spec, ballot.candidates, question.label)
    return _Row(
        votes=[vote(entry) for entry in ballot.entries],
        candidates=len(ballot.candidates),
        truth=UNKNOWN if truth == UNUSABLE else truth,
        right=frozenset({truth} if truth >= 0 else ()),
        confidence=[math.nan if entry.raw_confidence is None else entry.raw_confidence for entry in ballot.entries],
        origins=[
            None
            if entry.raw_confidence is None
            else (entry.confidence_source.value, entry.model_version or "", said.prompt_hash or "")
            for entry, (said, _) in zip(ballot.entries, read, strict=True)
        ],
    )


def _confidences(labels: Sequence[Label | None]) -> tuple[list[float], list[Origin | None]]:
    """Members' own confidences and their origins, of which a published recording knows the source alone."""
    stated = [None if label is None else label.raw_confidence for label in labels]
    origins = [
        None if label is None or label.raw_confidence is None else (label.confidence_source.value, "", "")
        for label in labels
    ]
    return [math.nan if one is None else one for one in stated], origins


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
