"""What an act of the demonstration came to, counted from the topics and held against the right answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from consensus import answers
from consensus.answers import Sameness
from consensus.demo.cases import Case
from consensus.types import AnswerSpec, BallotEntry, LabelKind, LabelValue, Signal, Verdict

Gold = LabelValue | tuple[str, ...]


@dataclass(frozen=True)
class Act:
    """One act: its cases by request id, and everything read from the topics about those ids.

    ``gold`` of a case is ``None`` where the truth is not known. ``dead_letters`` are counted by the caller.
    """

    name: str
    cases: Mapping[str, Case]
    verdicts: Sequence[Verdict]
    signals: Sequence[Signal]
    dead_letters: int
    seconds: float

    def summary(self) -> dict[str, Any]:
        """The act as one JSON object; shares in [0, 1], ``null`` where there is no gold or nothing was answered."""
        first = {v.request_id: v for v in reversed(self.verdicts) if v.version == 1}
        signals = {s.request_id: s for s in self.signals if s.version == 1}
        judged = [(signals[i], case.gold) for i, case in self.cases.items() if i in signals and case.gold is not None]
        latencies = sorted(v.latency_ms for v in first.values())
        latest = {v.request_id: v for v in sorted(self.verdicts, key=lambda v: v.version)}
        return {
            "name": self.name,
            "requests": len(self.cases),
            "verdicts": len(first),
            "repeats": len(self.verdicts) - len({(v.request_id, v.version) for v in self.verdicts}),
            "dead_letters": self.dead_letters,
            "by_status": dict(sorted(Counter(v.status.value for v in first.values()).items())),
            "by_kind": dict(sorted(Counter(v.disagreement.kind.value for v in first.values()).items())),
            "accuracy": _mean(score_top(signal, gold) for signal, gold in judged),
            "accuracy_accepted": _mean(self._given(first)),
            "certified": sum(v.certificate is not None for v in first.values()),
            "certified_error": _mean(1.0 - score for score in self._given(first, certified=True)),
            "certified_bound": max((v.certificate.alpha for v in first.values() if v.certificate), default=None),
            "best_single": best_single(judged),
            "majority": _mean(score_majority(signal, gold) for signal, gold in judged),
            "confidence_null": sum(v.confidence is None for v in first.values()),
            "snapshots": sorted({v.snapshot_version for v in first.values() if v.snapshot_version}),
            "effective_votes": _mean(v.disagreement.effective_votes for v in first.values()),
            "reviewed": sum(v.status == "reviewed" for v in latest.values()),
            "cost": sum(v.cost for v in first.values()),
            "latency_ms": {"p50": _quantile(latencies, 0.5), "p95": _quantile(latencies, 0.95)},
            "seconds": round(self.seconds, 3),
        }

    def _given(self, first: Mapping[str, Verdict], *, certified: bool = False) -> Iterable[float]:
        """1 for each answer given that is right, 0 for each that is wrong; ``certified``: those under a certificate."""
        for request_id, verdict in first.items():
            case = self.cases[request_id]
            if certified and verdict.certificate is None:
                continue
            if verdict.answer is not None and case.gold is not None:
                yield float(right(case.request.answer, verdict.answer, case.gold))


def right(spec: AnswerSpec, label: LabelValue, gold: Gold) -> bool:
    """Whether a label means the same as the right answer, or as one of several accepted texts."""
    accepted = gold if isinstance(gold, tuple) else (gold,)
    return label is not None and any(answers.sameness(spec, label, text) is Sameness.SAME for text in accepted)


def score_top(signal: Signal, gold: Gold) -> float:
    """1 if the leading label is right; a tie scores 1/k where one of the k tied labels is."""
    if signal.top is not None:
        return float(right(signal.answer, signal.top, gold))
    return score_majority(signal, gold)


def score_majority(signal: Signal, gold: Gold) -> float:
    """1 if the label with most votes is right, 1/k for k tied ones, 0 without votes."""
    votes = Counter(entry.cluster for entry in signal.ballot if entry.cluster is not None)
    tied = [index for index, count in votes.items() if count == max(votes.values())]
    hits = sum(right(signal.answer, signal.candidates[index], gold) for index in tied)
    return hits / len(tied) if tied else 0.0


def best_single(judged: Sequence[tuple[Signal, Gold]]) -> float | None:
    """Accuracy of the best member over the questions it was asked, among members asked at least half of them."""
    scores: dict[str, list[float]] = {}
    for signal, gold in judged:
        for entry in signal.ballot:
            if entry.label_kind not in (LabelKind.NOT_ASKED, LabelKind.CANCELLED):
                scores.setdefault(entry.model, []).append(_entry_score(signal, entry, gold))
    means = [sum(s) / len(s) for s in scores.values() if 2 * len(s) >= len(judged)]
    return max(means, default=None)


def _entry_score(signal: Signal, entry: BallotEntry, gold: Gold) -> float:
    return float(right(signal.answer, entry.label, gold))


def _mean(values: Iterable[float]) -> float | None:
    found = list(values)
    return sum(found) / len(found) if found else None


def _quantile(ordered: Sequence[int], share: float) -> int | None:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else None
