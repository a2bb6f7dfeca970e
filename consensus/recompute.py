"""A decision derived again from its ballot, snapshot and policy, by the functions that made it. Pure (I6).

What is taken from the record: the ballot (labels, clusters, raw confidences, costs), the arbitration, the three
circumstances that neither ballot nor snapshot knows, and the clock. Everything else must come out to the last digit.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import pairwise
from typing import Any

from calibration.snapshot import Snapshot
from consensus import answers
from consensus.assessment import assess
from consensus.ballot import Ballot
from consensus.case import Case
from consensus.decision import decision_of
from consensus.errors import Malformed
from consensus.pipeline import Resources, after_arbitration, open_case
from consensus.policy import PanelPolicy, Policy
from consensus.ruling import next_version
from consensus.types import (
    AnswerSpec,
    Circumstances,
    Decision,
    Request,
    Route,
    Ruling,
    RulingDecision,
    Signal,
    Verdict,
)

MISSING = "(absent)"

HALF = 0.5
"""Added to a latency in whole milliseconds, so that no rounding of seconds takes one of them away."""


@dataclass(frozen=True)
class Difference:
    """One field that comes out otherwise; ``field`` is its path, e.g. ``verdict.ballot[2].confidence``."""

    field: str
    recorded: Any
    recomputed: Any


@dataclass(frozen=True)
class Record:
    """What is stored of a decision: all versions of the verdict, oldest first, the first signal, people's rulings."""

    verdicts: Sequence[Verdict]
    signal: Signal
    rulings: Sequence[Ruling] = ()


def differences(record: Record, policy: Policy, snapshot: Snapshot | None) -> list[Difference]:
    """All that comes out otherwise than recorded; empty: the record is what ballot, snapshot and policy determine.

    ``policy`` and ``snapshot`` are those that the verdict names. A signal without circumstances (of an older version of
    the program) is taken to be of an unsuspended class before its deadline, under a quorum of 2 of 2 families.
    """
    first = record.verdicts[0]
    found = decide_again(record.signal, first, policy, snapshot)
    verdict = _differing("verdict", _tree(first), _tree(found.verdict))
    signal = _differing("signal", _tree(record.signal), _tree(found.signal))
    return [*verdict, *signal, *_later(record)]


def decide_again(signal: Signal, verdict: Verdict, policy: Policy, snapshot: Snapshot | None) -> Decision:
    """The decision as it comes out of the recorded ballot."""
    case = _case(signal, verdict, policy, snapshot)
    entries = tuple(entry.model_copy(update={"confidence": None}) for entry in verdict.ballot)
    assessment = assess(
        case,
        Ballot(entries, signal.candidates, open_set=answers.candidates(signal.answer) is None),
        can_extend=False,  # whoever could be asked was asked: no decision ends while its route is `extend`
        expired=_circumstances(signal).expired,
        prompt_hash=verdict.prompt_hash or "",
    )
    arbitration = verdict.arbitration
    if assessment.routing.route is Route.ARBITRATE:
        assessment = replace(assessment, routing=after_arbitration(case, assessment.routing, arbitration))
    return decision_of(case, assessment, arbitration, cost=verdict.cost, decided_at=verdict.decided_at)


def _case(signal: Signal, verdict: Verdict, policy: Policy, snapshot: Snapshot | None) -> Case:
    """The case as it was opened; of the question itself nothing is needed, so an erased text changes nothing here."""
    circumstances = _circumstances(signal)
    panel = PanelPolicy(
        name=policy.panel,
        models=tuple(entry.model for entry in verdict.ballot),
        quorum=circumstances.quorum,
        min_families=circumstances.min_families,
    )
    started = verdict.decided_at - timedelta(milliseconds=verdict.latency_ms + HALF)
    rules = Resources(
        members={},
        panels={policy.panel: panel},
        policies={policy.name: policy},
        snapshots=lambda _cls: snapshot,
        suspended=lambda _cls: circumstances.suspended,
        clock=lambda: started,
    )
    request = Request(
        id=signal.request_id,
        tenant=signal.tenant,
        domain=signal.domain,
        stakes=signal.stakes,
        policy=policy.name,
        prompt="(not needed)",
        answer=signal.answer,
    )
    return replace(open_case(request, rules, None, "recomputed"), context_marks=circumstances.marks)


def _circumstances(signal: Signal) -> Circumstances:
    return signal.circumstances or Circumstances(quorum=2, min_families=2)


def _later(record: Record) -> Iterator[Difference]:
    """Versions after the first, each of which some ruling made of the one before it, as long as rulings are kept."""
    spec = record.signal.answer
    for before, version in pairwise(record.verdicts if record.rulings else ()):
        if version not in [next_version(spec, before, _canonical(spec, ruling)) for ruling in record.rulings]:
            yield Difference(f"version {version.version}", version.status.value, "made by no recorded ruling")


def _canonical(spec: AnswerSpec, ruling: Ruling) -> Ruling:
    if ruling.decision is not RulingDecision.ANSWER:
        return ruling
    try:
        return ruling.model_copy(update={"answer": answers.check(spec, ruling.answer)})
    except Malformed:  # recorded, and refused when it came: it has made no version
        return ruling.model_copy(update={"decision": RulingDecision.ABSTAIN, "answer": None})


def _tree(message: Verdict | Signal | None) -> Any:
    """As JSON values, so that what is compared is what was published."""
    return None if message is None else message.model_dump(mode="json", by_alias=True)


def _differing(path: str, recorded: Any, recomputed: Any) -> Iterator[Difference]:
    if isinstance(recorded, dict) and isinstance(recomputed, dict):
        for key in sorted({*recorded, *recomputed}):
            yield from _differing(f"{path}.{key}", recorded.get(key, MISSING), recomputed.get(key, MISSING))
    elif isinstance(recorded, list) and isinstance(recomputed, list) and len(recorded) == len(recomputed):
        for index, pair in enumerate(zip(recorded, recomputed, strict=True)):
            yield from _differing(f"{path}[{index}]", *pair)
    elif recorded != recomputed or type(recorded) is not type(recomputed):
        yield Difference(path, recorded, recomputed)
