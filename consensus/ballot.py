"""The labels of one panel for one request, grouped into candidates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from consensus import answers
from consensus.answers import Sameness
from consensus.types import (
    Answer,
    AnswerSpec,
    BallotEntry,
    Failure,
    Label,
    LabelKind,
    LabelValue,
)

RESPONSES = frozenset({LabelKind.ANSWER, LabelKind.ABSTAINED, LabelKind.REFUSED, LabelKind.CONFLICTING})
"""Labels of a model that was heard, whether or not it gave an opinion."""

UNASKED = frozenset({LabelKind.NOT_ASKED, LabelKind.CANCELLED})


@dataclass(frozen=True)
class Ballot:
    """Entries in panel order; ``entry.cluster`` indexes ``candidates``.

    ``candidates`` are all options of a closed spec, or one representative per answer cluster of an open one
    (``open_set``; then the truth may be none of them).
    """

    entries: tuple[BallotEntry, ...]
    candidates: tuple[LabelValue, ...]
    open_set: bool

    @cached_property
    def opinions(self) -> tuple[BallotEntry, ...]:
        """Entries that count as votes: answers in a cluster, each underlying model once (aliases are dropped)."""
        return _distinct([entry for entry in self.entries if entry.cluster is not None])

    @cached_property
    def responses(self) -> tuple[BallotEntry, ...]:
        """Entries of models that were heard, each underlying model once."""
        return _distinct([entry for entry in self.entries if entry.label_kind in RESPONSES])

    @cached_property
    def asked(self) -> tuple[BallotEntry, ...]:
        return tuple(entry for entry in self.entries if entry.label_kind not in UNASKED)

    def votes(self) -> dict[int, int]:
        """Number of distinct models per candidate index, only where there are any."""
        counts: dict[int, int] = {}
        for entry in self.opinions:
            if (cluster := entry.cluster) is not None:
                counts[cluster] = counts.get(cluster, 0) + 1
        return counts


def _distinct(entries: Sequence[BallotEntry]) -> tuple[BallotEntry, ...]:
    """One entry per underlying model: the same version of a family under two names has one vote, its first."""
    first: dict[tuple[str, str], BallotEntry] = {}
    for entry in entries:
        first.setdefault((entry.family, entry.model_version or entry.model), entry)
    return tuple(first.values())


def build(
    spec: AnswerSpec,
    read: Sequence[tuple[Answer, Label]],
    judged: Mapping[tuple[int, int], Sameness] | None = None,
    question: str = "",
) -> Ballot:
    """Group labels into candidates. ``judged`` holds verdicts of an equivalence judge on pairs of positions.

    An answer on which an injection detector fired is quarantined: it stays on the ballot but forms no cluster.
    """
    values = votable(read)
    groups = answers.clusters(spec, values, judged or {}, question)
    closed = answers.candidates(spec)
    candidates = closed if closed is not None else answers.representatives(spec, values, groups)
    entries = tuple(_entry(answer, label, cluster) for (answer, label), cluster in zip(read, groups, strict=True))
    return Ballot(entries, tuple(candidates), open_set=closed is None)


def votable(read: Sequence[tuple[Answer, Label]]) -> list[LabelValue | None]:
    """The value of each label that may form a cluster, in order."""
    return [label.value if not label.marks else None for _, label in read]


def _entry(answer: Answer, label: Label, cluster: int | None) -> BallotEntry:
    return BallotEntry(
        model=answer.model,
        model_version=answer.model_version,
        family=answer.family,
        label_kind=label.kind,
        label=label.value,
        raw_confidence=label.raw_confidence,
        confidence_source=label.confidence_source,
        failure=answer.failure,
        finish_reason=answer.finish_reason,
        latency_ms=answer.latency_ms,
        tokens_in=answer.tokens_in,
        tokens_out=answer.tokens_out,
        cost=answer.cost,
        cost_source=answer.cost_source,
        attempts=answer.attempts,
        cluster=cluster,
        marks=label.marks,
    )


def unheard(model: str, family: str, kind: LabelKind) -> tuple[Answer, Label]:
    """The entry of a member that was not asked, or whose call was cancelled."""
    failure = Failure.CANCELLED if kind is LabelKind.CANCELLED else None
    return Answer(model=model, family=family, failure=failure), Label(kind=kind)
