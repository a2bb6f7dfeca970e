"""What the calibrator makes of records: the same rows whatever the order, the repeats and the interruptions."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from calibration.ballots import NONE_OF_THESE
from calibration.store import alarms, outcomes, tables, verdicts
from calibration.store.engine import metadata
from calibration.store.outcomes import UNUSABLE
from consensus.kafka.ingest import Ingest, Moved
from consensus.kafka.intake import Record
from consensus.ledger.transactions import Transactions
from consensus.types import Outcome, Signal
from tests.loop_records import NOON, TOPICS, Log, outcome, signal, verdict

ONE = '["default", "r-1"]'

TABLES = ("signals", "panels", "outcomes", "labels", "alarms")


class Marks:
    """Stands for the ledger: remembers what was marked as committed."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str, int]] = []

    async def __call__(self, versions: Sequence[tuple[str, str, int]]) -> None:
        self.seen += versions


def ingest(engine: AsyncEngine, mark: Marks | None = None) -> Ingest:
    return Ingest(Transactions(engine, 10), TOPICS, mark or Marks())


async def feed(engine: AsyncEngine, records: Sequence[Record], mark: Marks | None = None) -> None:
    """Ingest records from wherever the store stands."""
    into = ingest(engine, mark)
    stored = await into.offsets()
    places = {(record.topic, record.partition) for record in records}
    await into.store(records, {place: stored.get(place) for place in places})


async def contents(engine: AsyncEngine) -> dict[str, set[Any]]:
    """All rows of the tables that must not depend on the order of arrival."""
    async with engine.connect() as connection:
        return {
            name: {tuple(row) for row in await connection.execute(metadata.tables[name].select())} for name in TABLES
        }


async def labels(engine: AsyncEngine) -> dict[str, int | None]:
    async with engine.connect() as connection:
        rows = await connection.execute(select(tables.labels))
        return {row.request_id: row.truth for row in rows}


async def raised(engine: AsyncEngine) -> list[tuple[int, str, str]]:
    async with engine.connect() as connection:
        return [(a["severity"], a["code"], a["subject"]) for a in await alarms.newest(connection, 100)]  # type: ignore[misc]


@pytest.mark.parametrize("first", ["signal", "outcome"])
async def test_an_outcome_becomes_a_label_whichever_comes_first(engine: AsyncEngine, first: str) -> None:
    """Signal and outcome meet in either order; the label is the index of the candidate."""
    log = Log()
    pair = log.records(signal(), outcome(label="B"))
    for record in pair if first == "signal" else reversed(pair):
        await feed(engine, [record])
    assert await labels(engine) == {"r-1": 1}


async def test_no_answer_is_right(engine: AsyncEngine) -> None:
    """A null label says that none of the candidates is right."""
    await feed(engine, Log().records(signal(), outcome(label=None)))
    assert await labels(engine) == {"r-1": NONE_OF_THESE}


async def test_a_later_outcome_of_the_same_source_supersedes(engine: AsyncEngine) -> None:
    """The correction counts, also when it arrives before what it corrects."""
    await feed(engine, Log().records(signal(), outcome(label="C", hours=2), outcome(label="A", hours=1)))
    assert await labels(engine) == {"r-1": 2}


async def test_contradicting_sources_make_no_label_until_corrected(engine: AsyncEngine) -> None:
    """An audit against a blind review is for people to settle; agreement restores the label."""
    log = Log()
    await feed(engine, log.records(signal(), outcome(label="A"), outcome(label="B", hours=2, source="audit")))
    assert await labels(engine) == {"r-1": None}
    await feed(engine, log.records(outcome(label="B", hours=3)))
    assert await labels(engine) == {"r-1": 1}


async def test_feedback_is_kept_and_never_a_label(engine: AsyncEngine) -> None:
    """Downstream feedback neither fits nor contradicts."""
    log = Log()
    await feed(engine, log.records(signal(), outcome(label="B", source="feedback")))
    assert await labels(engine) == {}
    await feed(engine, log.records(outcome(label="A")))
    assert await labels(engine) == {"r-1": 0}
    async with engine.connect() as connection:
        assert await outcomes.evidence(connection) == 1
    assert len((await contents(engine))["outcomes"]) == 2


async def test_a_label_outside_the_spec_is_kept_and_unusable(engine: AsyncEngine) -> None:
    """It is evidence of nothing, and takes back the earlier outcome that it corrects."""
    await feed(engine, Log().records(signal(), outcome(label="A"), outcome(label="Z", hours=2)))
    assert await labels(engine) == {}
    async with engine.connect() as connection:
        assert await outcomes.counts(connection) == outcomes.Counts(0, 0, 0, 1)
        (found,) = (await outcomes.of_requests(connection, ["r-1"])).values()
        assert [one.truth for one in found] == [0, UNUSABLE]


async def test_an_outcome_for_an_unknown_request_is_kept_and_counted(engine: AsyncEngine) -> None:
    """Its truth stays open and it fits nothing."""
    await feed(engine, Log().records(outcome("unknown")))
    async with engine.connect() as connection:
        assert await outcomes.counts(connection) == outcomes.Counts(0, 0, 1, 0)
        assert await outcomes.evidence(connection) == 0


async def test_tenants_do_not_meet(engine: AsyncEngine) -> None:
    """The same request id of two tenants has two labels."""
    log = Log()
    await feed(engine, log.records(signal(), signal(tenant="other"), outcome(label="A")))
    await feed(engine, log.records(outcome(label="B", tenant="other")))
    async with engine.connect() as connection:
        rows = (await connection.execute(select(tables.labels))).all()
    assert {(row.tenant, row.truth) for row in rows} == {("default", 0), ("other", 1)}


async def test_the_first_version_is_what_the_panel_said(engine: AsyncEngine) -> None:
    """A signal of version 2 that arrives first gives way: labels index the candidates of version 1."""
    log = Log()
    second = signal(version=2, event_id="e-2", candidates=["C", "B", "A"], ballot=[])
    await feed(engine, log.records(second, outcome(label="A")))
    assert await labels(engine) == {"r-1": 2}
    await feed(engine, log.records(signal()))
    assert await labels(engine) == {"r-1": 0}


@pytest.mark.parametrize("seed", range(3))
async def test_order_and_repeats_change_nothing(engine: AsyncEngine, seed: int) -> None:
    """Two stores fed with the same messages, one of them shuffled and doubled, hold the same rows."""
    messages: list[Signal | Outcome] = [signal("r-1"), signal("r-2", stakes="critical"), signal("r-3")]
    messages += [signal("r-2", tenant="other")]
    messages += [outcome("r-1", "A"), outcome("r-1", "B", hours=2), outcome("r-1", "B", hours=3, source="audit")]
    messages += [outcome("r-2", "C"), outcome("r-2", None, hours=5), outcome("r-3", "B", source="feedback")]
    messages += [outcome("r-3", "Q"), outcome("unknown", "A")]
    await feed(engine, Log().records(*messages))
    straight = await contents(engine)
    async with engine.begin() as connection:
        for table in metadata.sorted_tables:
            await connection.execute(table.delete())
    shuffled = messages * 2
    random.Random(seed).shuffle(shuffled)
    log = Log()
    for start in range(0, len(shuffled), 5):
        await feed(engine, log.records(*shuffled[start : start + 5]))
    assert await contents(engine) == straight


async def test_a_batch_that_was_written_by_another_is_refused_whole(engine: AsyncEngine) -> None:
    """Of two processes that begin at the same offset one writes, the other learns that it has moved."""
    log = Log()
    records = log.records(verdict("r-1"), verdict("r-2"))
    place = (TOPICS.verdicts, 0)
    await ingest(engine).store(records, {place: None})
    with pytest.raises(Moved):
        await ingest(engine).store(records, {place: None})
    assert await ingest(engine).offsets() == {place: 2}
    async with engine.connect() as connection:
        assert len(await verdicts.of_request(connection, "default", "r-1")) == 1


async def test_versions_on_the_topic_are_marked_as_committed(engine: AsyncEngine) -> None:
    """What a crash left unmarked is marked when its verdict is read, unreadable records excepted."""
    log, marks = Log(), Marks()
    records = [log.record(verdict()), log.record(b"{", topic=TOPICS.verdicts)]
    await feed(engine, [*records, log.record(verdict(version=2, supersedes=1))], marks)
    assert marks.seen == [("default", "r-1", 1), ("default", "r-1", 2)]


async def test_a_version_with_two_contents_is_an_alarm_and_a_repeat_is_none(engine: AsyncEngine) -> None:
    """The same bytes twice are a repeat; other bytes under one version are severity 0."""
    log = Log()
    await feed(engine, log.records(verdict(), verdict()))
    assert await raised(engine) == []
    await feed(engine, log.records(verdict(cost=9.0)))
    assert await raised(engine) == [(0, "verdict_changed", ONE)]


@pytest.mark.parametrize(("stakes", "severity"), [("critical", 0), ("high", 1)])
async def test_a_wrong_released_answer_is_an_alarm(engine: AsyncEngine, stakes: str, severity: int) -> None:
    """Severity follows the stakes; the alarm names the tenant and the request."""
    await feed(engine, Log().records(signal(stakes=stakes), outcome(label="B", source="audit")))
    assert await raised(engine) == [(severity, "wrong_answer_released", ONE)]


@pytest.mark.parametrize(
    ("changes", "label", "source"),
    [
        ({"stakes": "standard"}, "B", "audit"),
        ({"stakes": "critical"}, "A", "audit"),
        ({"stakes": "critical"}, "B", "feedback"),
        ({"stakes": "critical", "status": "pending_review", "route": "review"}, "B", "blind_review"),
    ],
    ids=["standard stakes", "right", "feedback", "nothing was released"],
)
async def test_no_alarm_without_a_wrong_release(
    engine: AsyncEngine, changes: dict[str, Any], label: str, source: str
) -> None:
    """Only a truth that counts, against an answer that was given, at high stakes."""
    await feed(engine, Log().records(signal(**changes), outcome(label=label, source=source)))
    assert await raised(engine) == []


@pytest.mark.parametrize("topic", [TOPICS.signals, TOPICS.outcomes, TOPICS.verdicts, TOPICS.snapshots])
async def test_an_unreadable_record_is_an_alarm_and_the_rest_is_ingested(engine: AsyncEngine, topic: str) -> None:
    """The alarm says where the record stands, so that it can be looked at."""
    log = Log()
    await feed(engine, [log.record(b'{"no": 1}', topic=topic), log.record(signal("r-9")), log.record(outcome("r-9"))])
    found = (2, "snapshot_refused") if topic == TOPICS.snapshots else (3, "record_unreadable")
    assert await raised(engine) == [(*found, f"{topic}/0@0")]
    assert await labels(engine) == {"r-9": 0}


async def test_a_vote_for_no_candidate_is_unreadable(engine: AsyncEngine) -> None:
    """It would index past the arrays of a fit."""
    broken = signal(candidates=["A"])
    await feed(engine, Log().records(broken))
    assert [code for _, code, _ in await raised(engine)] == ["record_unreadable"]
    assert (await contents(engine))["signals"] == set()


async def test_the_chain_verifies_and_names_the_first_altered_record(engine: AsyncEngine) -> None:
    """Values, hashes and deletions in the store are found; an erased value is not an alteration."""
    log = Log()
    await feed(engine, [log.record(verdict(f"r-{i}"), partition=i % 2) for i in range(6)])
    await feed(engine, [log.record(b"?", partition=1, topic=TOPICS.verdicts)])
    table = tables.verdicts

    async def broken() -> dict[int, int]:
        async with engine.connect() as connection:
            return await verdicts.first_broken(connection)

    async def change(partition: int, offset: int, **values: Any) -> None:
        here = (table.c.log_partition == partition) & (table.c.log_offset == offset)
        async with engine.begin() as connection:
            await connection.execute(table.update().where(here).values(**values))

    assert await broken() == {}
    await change(0, 0, raw=None)
    assert await broken() == {}
    await change(1, 1, raw=b"forged")
    assert await broken() == {1: 1}
    async with engine.begin() as connection:
        await connection.execute(table.delete().where((table.c.log_partition == 0) & (table.c.log_offset == 1)))
    assert await broken() == {0: 2, 1: 1}


async def test_times_keep_their_last_microsecond(engine: AsyncEngine) -> None:
    """Neither database rounds a time or drops its zone."""
    exact = NOON.replace(microsecond=123457)
    await feed(engine, Log().records(signal(decided_at=exact)))
    async with engine.connect() as connection:
        assert await connection.scalar(select(tables.signals.c.decided_at)) == exact
