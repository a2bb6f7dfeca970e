"""The oracle: clean runs are clean, and a planted violation of each invariant is found and named."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from consensus import wire
from consensus.errors import ModelError
from consensus.kafka.dump import Dumped
from consensus.kafka.offset_map import encode
from consensus.kafka.offsets import Position
from consensus.testing.evidence import Call, Evidence
from consensus.testing.oracle import violations
from consensus.testing.run import Allowed
from consensus.types import Failure, Verdict
from tests.ballots import request
from tests.oracle.paper import SETTINGS, TOPICS, Paper, linked

Plant = Callable[[Evidence], Evidence]


async def paper() -> Paper:
    """An accepted request and its repeat, a pending one and its ruling, one that an arbiter heard, a dead letter, a
    conflict, a failed member."""
    run = Paper()
    accepted = await run.decided(request(id="plain", stakes="low"))
    run.repeated(accepted)
    run.ruled(await run.decided(request(id="ruled"), says_b="B", partition=1))
    run.refused(run.write("requests", 1, None, b"{", {"x-record": b"broken"}))
    run.refused(run.asked(request(id="plain", domain="other")), "conflict")
    await run.decided(request(id="late"), says_b=ModelError(Failure.TIMEOUT, "too slow"))
    await run.decided(request(id="heard", domain="argued"), says_b="B")
    return run


def found(evidence: Evidence, allowed: Allowed | None = None) -> list[str]:
    return [str(violation) for violation in violations(evidence, SETTINGS, allowed)]


async def test_a_clean_run_is_clean() -> None:
    """Repeats, rulings, dead letters, conflicts and failures of models are all as they should be."""
    assert found((await paper()).evidence()) == []


async def test_an_empty_run_is_clean() -> None:
    """Nothing asked, nothing answered."""
    assert found(Paper().evidence()) == []


def records(evidence: Evidence, **changed: Sequence[Dumped]) -> Evidence:
    """The evidence with other records; the chain is made to fit, so that only what was planted is wrong."""
    after = {**evidence.records, **changed}
    links = {number: linked([r for r in after["verdicts"] if r.partition == number]) for number in (0, 1)}
    return replace(evidence, records=after, links=links)


def without(noun: str, which: int = 0) -> Plant:
    """One record is missing."""
    return lambda evidence: records(evidence, **{noun: [r for i, r in enumerate(evidence.of(noun)) if i != which]})


def doubled(noun: str, which: int = 0) -> Plant:
    """One record stands there twice."""

    def plant(evidence: Evidence) -> Evidence:
        kept = list(evidence.of(noun))
        return records(evidence, **{noun: [*kept, replace(kept[which], offset=500)]})

    return plant


def verdict(evidence: Evidence, request_id: str) -> tuple[int, Dumped]:
    """Where the first verdict on a request stands."""
    return next((i, r) for i, r in enumerate(evidence.of("verdicts")) if r.key == request_id.encode())


def rewritten(request_id: str, stored: bool = True, **changes: Any) -> Plant:
    """The verdict on a request says something else; ``stored``: in the ledger too."""

    def plant(evidence: Evidence) -> Evidence:
        index, record = verdict(evidence, request_id)
        changed = Verdict.model_validate_json(record.value or b"").model_dump(mode="json") | changes
        value = wire.write(Verdict.model_validate(changed))
        new = [replace(r, value=value) if r.value == record.value else r for r in evidence.of("verdicts")]
        if not stored:
            new = [replace(r, value=value) if i == index else r for i, r in enumerate(evidence.of("verdicts"))]
        versions = [replace(v, verdict=value) if stored and v.verdict == record.value else v for v in evidence.versions]
        return replace(records(evidence, verdicts=new), versions=versions)

    return plant


def undone(evidence: Evidence) -> Evidence:
    """The first record of a partition was never committed as done."""
    place = (TOPICS.requests, 0)
    return replace(evidence, positions={**evidence.positions, place: Position(0, encode([0], 1_000))})


def moved(noun: str) -> Plant:
    """A record stands on another partition than its input."""

    def plant(evidence: Evidence) -> Evidence:
        first, *rest = evidence.of(noun)
        return records(evidence, **{noun: [replace(first, partition=1 - first.partition, offset=400), *rest]})

    return plant


def ballot_of(request_id: str, change: Callable[[list[dict[str, Any]]], list[dict[str, Any]]]) -> Plant:
    """The ballot on a verdict is another one."""

    def plant(evidence: Evidence) -> Evidence:
        _, record = verdict(evidence, request_id)
        entries = Verdict.model_validate_json(record.value or b"").model_dump(mode="json")["ballot"]
        return rewritten(request_id, ballot=change(entries))(evidence)

    return plant


def fallen(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Two of three members have no answer."""
    gone = {"label_kind": "failed", "label": None, "failure": "timeout", "cluster": None}
    return [entries[0], entries[1] | gone, entries[2] | gone]


def wrong_link(evidence: Evidence) -> Evidence:
    """The chain was made over other bytes."""
    links: Mapping[int, Any] = evidence.links or {}
    first, *rest = links[0]
    return replace(evidence, links={**links, 0: [first._replace(chain=bytes(32)), *rest]})


def unlinked(evidence: Evidence) -> Evidence:
    """The last verdict of a partition was not chained."""
    links: Mapping[int, Any] = evidence.links or {}
    return replace(evidence, links={**links, 0: links[0][:-1]})


def called_again(evidence: Evidence) -> Evidence:
    """A call was made a second time."""
    return replace(evidence, calls=[*evidence.calls, evidence.calls[0]])


def arbiter_called_again(evidence: Evidence) -> Evidence:
    """An arbiter was asked a second time, and so was nobody else."""
    return replace(evidence, calls=[*evidence.calls, next(call for call in evidence.calls if call.model == "d")])


def unmarked_call(evidence: Evidence) -> Evidence:
    """A call that does not say whose it is."""
    return replace(evidence, calls=[*evidence.calls, Call("a", None)])


def unknown_call(evidence: Evidence) -> Evidence:
    """A call that no decision knows of."""
    return replace(evidence, calls=[*evidence.calls, Call("a", "0" * 64)])


def overspent(evidence: Evidence) -> Evidence:
    """One call took more attempts than the whole request may make."""
    first, *rest = evidence.versions
    answers = (first.answers or b"").replace(b'"attempts":1', b'"attempts":33')
    return replace(evidence, versions=[replace(first, answers=answers), *rest])


def left_behind(evidence: Evidence) -> Evidence:
    """The answers of a committed decision are still in the ledger."""
    return replace(evidence, answers={evidence.versions[0].key: {}})


def other_task(evidence: Evidence) -> Evidence:
    """A review task of a decision that nobody has stored."""
    first = evidence.of("reviews")[0]
    stranger = replace(first, key=b"stranger", offset=300)
    return records(evidence, reviews=[*evidence.of("reviews"), stranger])


def altered_letter(evidence: Evidence) -> Evidence:
    """A dead letter without the value of its record."""
    first, *rest = evidence.of("dead_letters")
    return records(evidence, dead_letters=[replace(first, value=b"other"), *rest])


def stray_letter(evidence: Evidence) -> Evidence:
    """A dead letter that names a record which does not exist."""
    first, *rest = evidence.of("dead_letters")
    headers = {**first.headers, "source-offset": b"77"}
    return records(evidence, dead_letters=[replace(first, headers=headers), *rest])


def no_verdict(evidence: Evidence) -> Evidence:
    """A record of the verdicts topic that is none."""
    stray = replace(evidence.of("verdicts")[0], value=b"[]", offset=600)
    return records(evidence, verdicts=[*evidence.of("verdicts"), stray])


def backwards(evidence: Evidence) -> Evidence:
    """Version 1 is published again after version 2."""
    _, first = verdict(evidence, "ruled")
    return records(evidence, verdicts=[*evidence.of("verdicts"), replace(first, offset=700)])


PLANTED: list[tuple[Plant, str]] = [
    (without("verdicts"), r"I1 at .*plain: lost: 0 verdicts for 1 records"),
    (doubled("verdicts"), r"I1 at .*plain: doubled: 2 verdicts for 1 records"),
    (undone, r"I1 at consensus.requests/0@0: is not finished"),
    (without("dead_letters"), r"I1 at consensus.requests/1@2: cannot be decided, yet is no dead letter"),
    (doubled("dead_letters"), r"I1 at consensus.requests/1@2: doubled: 2 dead letters"),
    (altered_letter, r"I1 at consensus.dead-letters/0@0: does not hold the key, value and headers"),
    (stray_letter, r"I1 at consensus.dead-letters/0@0: is a dead letter of a record that does not exist"),
    (moved("verdicts"), r"I1 at consensus.verdicts/1 default:plain: doubled"),
    (rewritten("plain", stored=False, latency_ms=7), r"I2 at .*: version 1 differs from the one at"),
    (rewritten("late", stored=False, latency_ms=7), r"I2 at .*: is not what is stored"),
    (rewritten("late", version=3, supersedes=2), r"I2 at .*: versions are not consecutive: \[3\]"),
    (rewritten("late", supersedes=1), r"I2 at .*: supersedes 1, not None"),
    (backwards, r"I2 at .*: version 1 comes after 2"),
    (no_verdict, r"I2 at consensus.verdicts/0@600: is no verdict"),
    (without("dead_letters", 1), r"I2 at default:plain: records with different payloads all got a verdict"),
    (without("signals"), r"I3 at default:plain version 1: published apart: 2 verdicts and 0 of its signal"),
    (without("reviews"), r"I3 at default:ruled version 1: published apart: 1 verdicts and 0 of its review"),
    (without("outcomes"), r"I3 at default:ruled version 2: published apart: 1 verdicts and 0 of its outcome"),
    (doubled("signals"), r"I3 at default:plain version 1: its signal was published 2 times"),
    (moved("signals"), r"I3 at default:plain version 1: its signal stands on another partition"),
    (without("verdicts", 3), r"I3 at default:ruled version 2: published apart: 0 verdicts and 1 of its outcome"),
    (other_task, r"I3 at consensus.reviews/1@300: is the review of no stored decision"),
    (undone, r"I3 at consensus.requests/0@0: has a verdict, but its offset is not committed"),
    (ballot_of("plain", fallen), r"I4 at .*: is below the quorum and not marked degraded"),
    (ballot_of("plain", fallen), r"I4 at .*: is below the quorum and yet accepted"),
    (ballot_of("late", lambda entries: entries[1:]), r"I4 at .*: the ballot is not that of the whole panel"),
    (
        ballot_of("late", lambda entries: [{**e, "failure": e["failure"] or "timeout"} for e in entries]),
        r"I4 at .*: a failed and counts as answer",
    ),
    (called_again, r"I5 at provider: 1 calls paid for again, 0 excused: plain a ×1"),
    (arbiter_called_again, r"I5 at provider: 1 calls paid for again, 0 excused: heard d ×1"),
    (unknown_call, r"I5 at provider: 1 calls paid for again, 0 excused: nobody a ×1"),
    (unmarked_call, r"I5 at provider: 1 calls paid for again, 0 excused: nobody a ×1"),
    (overspent, r"I5 at default:plain: 99 calls with a budget of 32"),
    (rewritten("late", cost=0.5), r"I5 at default:late: the verdict says \$0.5, the ledger \$0.02"),
    (left_behind, r"I5 at default:plain: its answers are still in the ledger"),
    (wrong_link, r"I6 at consensus.verdicts/0@0: is chained as something else"),
    (unlinked, r"I6 at consensus.verdicts/0@6: is not chained"),
]


@pytest.mark.parametrize(("plant", "expected"), PLANTED)
async def test_a_planted_violation_is_found_and_named(plant: Plant, expected: str) -> None:
    """Each invariant, broken in each way that a fault could break it."""
    lines = found(plant((await paper()).evidence()))
    assert any(re.search(expected, line) for line in lines), lines


async def test_what_a_crash_explains_is_excused_and_no_more() -> None:
    """One call may be made again where one answer could not be recorded; two may not."""
    once = called_again((await paper()).evidence())
    assert found(once, Allowed(paid_again=1)) == []
    assert found(called_again(once), Allowed(paid_again=1))[0].startswith("I5")


async def test_repeats_are_excused_where_the_broker_lost_a_commit_but_never_other_bytes() -> None:
    """Published twice is excused; published twice with a difference is not."""
    evidence = (await paper()).evidence()
    again = doubled("signals")(doubled("verdicts")(evidence))
    assert found(again, Allowed(repeats=True)) == []
    assert found(again) != []
    changed = rewritten("plain", stored=False, latency_ms=7)(again)
    assert any("differs" in line for line in found(changed, Allowed(repeats=True)))


async def test_without_a_calibrator_there_is_no_chain_to_check() -> None:
    """A run of workers alone is judged by the other rules."""
    assert found(replace((await paper()).evidence(), links=None)) == []


async def test_two_tenants_with_one_id_are_two_requests() -> None:
    """The same id and question under another tenant has a decision of its own."""
    run = await paper()
    await run.decided(request(id="plain", tenant="other", stakes="low"))
    assert found(run.evidence()) == []
