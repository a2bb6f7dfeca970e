"""The story of a decision on one screen. Pure. Everything a model or a person wrote is shown as inert text."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from calibration.store.outcomes import UNUSABLE
from consensus.decision import question_of
from consensus.story import Story, Truth
from consensus.types import Arbitration, BallotEntry, LabelKind, LabelValue, Signal, Verdict

WIDTH = 100
TEXT = 60
"""Columns that a foreign text gets at most."""


def explain(story: Story) -> str:
    """The whole story as lines of at most `WIDTH` columns."""
    return "\n".join(line[:WIDTH].rstrip() for line in _lines(story))


def tree(story: Story) -> dict[str, Any]:
    """The same as JSON values, complete and unabridged."""
    return {
        "request": None if story.request is None else story.request.model_dump(mode="json"),
        "verdicts": [verdict.model_dump(mode="json") for verdict in story.verdicts],
        "unpublished": sorted(story.unpublished),
        "records": [vars(place) for place in story.places],
        "signal": None if story.signal is None else story.signal.model_dump(mode="json"),
        "rulings": [ruling.model_dump(mode="json") for ruling in story.rulings],
        "outcomes": [{**truth.outcome.model_dump(mode="json"), "candidate": truth.candidate} for truth in story.truths],
        "label": None if story.label is None else {"candidate": story.label.truth, "summary": _label(story)},
        "snapshot": None
        if story.snapshot is None
        else {**vars(story.snapshot), "fitted_at": story.snapshot.fitted_at.isoformat()},
        "alarms": [{**alarm, "raised_at": str(alarm["raised_at"])} for alarm in story.alarms],
    }


def _lines(story: Story) -> Iterator[str]:
    yield from _request(story)
    yield ""
    yield from _verdicts(story)
    yield ""
    yield from _why(story.verdicts[0], story)
    yield ""
    yield from _ballot(story.verdicts[0])
    if story.verdicts[0].arbitration is not None:
        yield ""
        yield from _arbitration(story.verdicts[0].arbitration)
    yield ""
    yield from _people(story)
    yield from _truth(story)
    yield ""
    yield from _provenance(story)


def _request(story: Story) -> Iterator[str]:
    verdict, signal = story.verdict, story.signal
    parts = [f"REQUEST   {inert(verdict.request_id)}", f"tenant {inert(verdict.tenant)}"]
    if signal is not None:
        parts += [inert(signal.domain), signal.stakes.value, signal.answer.type, f"policy {inert(signal.policy)}"]
    yield " · ".join(parts)
    if story.request is None:
        yield "          the request's text is no longer in the ledger"
    else:
        yield f"          {inert(question_of(story.request), WIDTH - 12)}"
    if story.claim is not None:
        place = f"requests/{story.claim.partition}@{story.claim.offset}"
        yield f"          record {place} · payload {story.claim.payload_hash[:12]} · crashes {story.claim.crashes}"


def _verdicts(story: Story) -> Iterator[str]:
    for verdict in reversed(story.verdicts):
        head = "VERDICT  " if verdict is story.verdict else "         "
        supersedes = f" · supersedes {verdict.supersedes}" if verdict.supersedes else ""
        unpublished = " · not published yet" if verdict.version in story.unpublished else ""
        answer = "no answer given" if verdict.answer is None else value(verdict.answer)
        yield (
            f"{head} v{verdict.version} {verdict.status} · {answer} · {_confidence(verdict)}"
            f" · {verdict.decided_at:%Y-%m-%d %H:%M:%S}{supersedes}{unpublished}"
        )


def _confidence(verdict: Verdict) -> str:
    return "confidence null" if verdict.confidence is None else f"confidence {verdict.confidence:.3f}"


def _why(first: Verdict, story: Story) -> Iterator[str]:
    """How version 1 was routed: the panel's decision, before any person."""
    seen = first.disagreement
    yield f"WHY       route {first.route} · {', '.join(first.reasons) or 'no reasons given'}"
    votes = f"effective votes {seen.effective_votes:.2f} ({seen.effective_votes_source})"
    spread = f"entropy {seen.entropy:.2f} · margin {_number(seen.margin)} · agreement {_number(seen.agreement)}"
    yield f"          {seen.kind} · {votes} · {spread}"
    marks = [name for name, on in (("degraded", first.degraded), ("uncertified", first.uncertified)) if on]
    certificate = first.certificate
    if certificate is not None:
        marks.append(f"certificate of {inert(certificate.class_)}: error ≤ {certificate.alpha} (n {certificate.n})")
    audit = f"audit {'drawn' if first.audit.selected else 'not drawn'} at propensity {first.audit.propensity:g}"
    yield f"          {' · '.join([*marks, audit])}"
    if story.signal is not None and story.signal.posterior is not None:
        yield f"          posterior {_posterior(story.signal)}"


def _posterior(signal: Signal) -> str:
    names = [value(candidate, 16) for candidate in signal.candidates] + ["none of these"]
    pairs = sorted(zip(signal.posterior or (), names, strict=False), reverse=True)
    return " · ".join(f"{name} {probability:.3f}" for probability, name in pairs[:5])


COLUMNS = ("model", "family", "said", "raw", "calibrated", "ms", "tokens", "cost")


def _ballot(verdict: Verdict) -> Iterator[str]:
    multiple = "" if verdict.cost_multiple is None else f" · {verdict.cost_multiple:.1f} × the cheapest member"
    yield f"BALLOT    {len(verdict.ballot)} members · cost {verdict.cost:.5f} ${multiple} · {verdict.latency_ms} ms"
    rows = [COLUMNS, *(_member(entry, verdict) for entry in verdict.ballot)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(COLUMNS))]
    for row in rows:
        yield "          " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))


def _member(entry: BallotEntry, verdict: Verdict) -> tuple[str, ...]:
    said = value(entry.label, 24) if entry.label_kind is LabelKind.ANSWER else entry.label_kind.value
    detail = entry.failure or (", ".join(entry.marks) if entry.marks else None)
    dissents = " (dissent)" if entry.model in verdict.dissent else ""
    raw = "–" if entry.raw_confidence is None else f"{entry.raw_confidence:.2f} {entry.confidence_source}"
    return (
        inert(entry.model, 20),
        inert(entry.family, 12),
        said + (f": {inert(detail, 20)}" if detail else "") + dissents,
        raw,
        _number(entry.confidence),
        str(entry.latency_ms),
        f"{entry.tokens_in}+{entry.tokens_out}",
        f"{entry.cost:.4f}",
    )


def _arbitration(ruling: Arbitration) -> Iterator[str]:
    decided = "" if ruling.label is None else f" {value(ruling.label)}"
    reasons = f" · {', '.join(ruling.reasons)}" if ruling.reasons else ""
    yield f"ARBITER   {inert(ruling.arbiter)} ({inert(ruling.family)}): {ruling.decision}{decided}{reasons}"
    for call in ruling.calls:
        shown = f" {' then '.join(inert(name, 16) for name in call.order)}" if call.order else ""
        result = call.decision if call.failure is None else call.failure
        yield f"          {call.purpose}{shown} → {inert(result or 'no decision', 24)} · {call.latency_ms} ms"
    if ruling.rationale is not None:
        yield f"          in the arbiter's own words: {inert(ruling.rationale)}"


def _people(story: Story) -> Iterator[str]:
    for i, ruling in enumerate(story.rulings):
        head = "RULINGS  " if i == 0 else "         "
        said = ruling.decision.value if ruling.answer is None else value(ruling.answer)
        sight = "blind" if ruling.blind else "not blind"
        note = "" if ruling.note is None else f" · {inert(ruling.note, 40)}"
        yield f"{head} {inert(ruling.reviewer)}: {said} · {sight} · {ruling.decided_at:%Y-%m-%d %H:%M}{note}"


def _truth(story: Story) -> Iterator[str]:
    if not story.truths:
        yield "TRUTH     no outcome yet"
        return
    for i, truth in enumerate(story.truths):
        head = "TRUTH    " if i == 0 else "         "
        said = "none of the answers" if truth.outcome.label is None else value(truth.outcome.label)
        when = f"{truth.outcome.observed_at:%Y-%m-%d %H:%M}"
        yield f"{head} {truth.outcome.source}: {said} · {when} · {_candidate(truth)}"
    yield f"          label for calibration: {_label(story)}"


def _candidate(truth: Truth) -> str:
    if truth.candidate is None:
        return "its signal has not arrived"
    if truth.candidate == UNUSABLE:
        return "cannot be compared with the candidates"
    return "no candidate" if truth.candidate < 0 else f"candidate {truth.candidate + 1}"


def _label(story: Story) -> str:
    if story.label is None:
        return "none"
    if story.label.truth is None:
        return "none: the sources contradict one another"
    if story.label.truth < 0 or story.signal is None:
        return "none of the candidates is right"
    return value(story.signal.candidates[story.label.truth])


def _provenance(story: Story) -> Iterator[str]:
    first = story.verdicts[0]
    fitted = "nothing was fitted"
    if story.snapshot is not None:
        fitted = f"{story.snapshot.labels} labels until {story.snapshot.fitted_at:%Y-%m-%d %H:%M}"
    elif first.snapshot_version is not None:
        fitted = "not in the store"
    yield f"FROM      snapshot {first.snapshot_version or 'none'} ({fitted})"
    yield f"          policy {inert(first.policy_version)} · prompt {(first.prompt_hash or 'none')[:16]}"
    for place in story.places:
        yield f"          v{place.version} is verdicts/{place.partition}@{place.offset} · chain {place.chain[:16]}"
    for alarm in story.alarms:
        yield f"ALARM     sev-{alarm['severity']} {alarm['code']}: {inert(str(alarm['detail']))}"


def value(label: LabelValue, width: int = TEXT) -> str:
    """A label as inert text: strings bare, everything else as JSON."""
    return inert(label if isinstance(label, str) else json.dumps(label, ensure_ascii=False), width)


def inert(text: str, width: int = TEXT) -> str:
    """One line of printable characters: no control, bidirectional or zero-width character reaches the terminal."""
    line = " ".join(text[: 4 * width].split())
    shown = "".join(c if c.isprintable() else "·" for c in line)
    return shown if len(shown) <= width and len(text) <= 4 * width else shown[: width - 1] + "…"


def _number(number: float | None) -> str:
    return "–" if number is None else f"{number:.2f}"
