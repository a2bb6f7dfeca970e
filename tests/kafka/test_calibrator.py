"""The calibrator on a broker: everything ingested once, whatever ends it, and refits that reach the topic."""

from __future__ import annotations

import asyncio
import random
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from calibration.store import offsets, snapshots, tables, verdicts
from calibration.store.engine import create_engine, metadata, reading
from calibration.store.migrate import migrate
from consensus.errors import BrokerUnavailable, StoreUnavailable
from consensus.kafka.calibrator import Calibrator
from consensus.kafka.feed import LogCutShort
from consensus.kafka.ingest import Ingest
from consensus.kafka.intake import Record
from consensus.metrics import Metrics
from consensus.settings import DriftSettings, KafkaSettings
from tests.eventually import eventually
from tests.kafka import loop_topics
from tests.kafka.followers import following
from tests.loop_records import Log, labelled_messages, outcome, signal, verdict
from tests.store.test_ingest import feed

NO_REFIT = DriftSettings(refit_labels=1_000_000, refit_interval_s=1e6)


async def _no_ledger(_versions: Sequence[tuple[str, str, int]]) -> None:
    """Stands for the ledger where a test does not look at it."""


def calibrator(
    settings: KafkaSettings, engine: AsyncEngine, drift: DriftSettings = NO_REFIT, **options: Any
) -> Calibrator:
    return Calibrator(settings, drift, engine, Metrics(), **{"timeout_s": 10, "mark": _no_ledger, **options})


@asynccontextmanager
async def running(it: Calibrator) -> AsyncIterator[asyncio.Task[None]]:
    await it.start()
    task = asyncio.create_task(it.run())
    try:
        yield task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError, LogCutShort, BrokerUnavailable):
            await task
        await it.stop()


async def contents(engine: AsyncEngine) -> dict[str, set[Any]]:
    """Every row of the store but the revision of its schema."""
    async with reading(engine).connect() as connection:
        return {table.name: {tuple(row) for row in await connection.execute(table.select())} for table in _tables()}


def _tables() -> list[Any]:
    return [table for table in metadata.sorted_tables if not table.name.startswith("ledger_")]


async def ingested(engine: AsyncEngine, topics: Sequence[str], records: int) -> bool:
    """Whether so many records of the topics have been read."""
    async with reading(engine).connect() as connection:
        stored = await offsets.read(connection)
    return sum(offset for (topic, _), offset in stored.items() if topic in topics) == records


def messages(n: int, *, seed: int = 1) -> list[Any]:
    """Decisions with their verdicts, and outcomes that come late, twice, out of order and corrected."""
    rng = random.Random(seed)
    found: list[Any] = [verdict(f"r-{i}", decided_at=f"2026-03-01T12:00:{i % 60:02}Z") for i in range(n)]
    found += [signal(f"r-{i}", stakes=("standard", "critical")[i % 2]) for i in range(n)]
    late = [outcome(f"r-{i}", rng.choice("ABC"), hours=hours) for i in range(0, n, 2) for hours in (1, 2)]
    late += [outcome(f"r-{i}", "B", source="audit") for i in range(0, n, 3)] + late[: n // 4]
    rng.shuffle(late)
    return found + late


async def test_the_loop_from_records_to_a_snapshot_in_use(address: str, prefix: str, engine: AsyncEngine) -> None:
    """Signals and outcomes in, a snapshot out, in use by a follower, and in the store under its version."""
    settings, topics = loop_topics.settings(address, prefix), await loop_topics.create(address, prefix)
    drift = DriftSettings(refit_labels=50, min_labels=30)
    async with (
        following(settings) as follower,
        loop_topics.writer(address, topics) as writer,
        running(calibrator(settings, engine, drift)),
    ):
        await writer.send(labelled_messages(120))
        await eventually(lambda: follower.current is not None)
        await eventually(lambda: ingested(engine, (topics.signals, topics.outcomes), 240))
        current = follower.current
        assert current is not None
        await eventually(lambda: _stored(engine, current.version))
        assert current.models == ("a", "b", "c")
        assert set(current.domains) == {"law", "health"}
        assert 30 <= current.labels <= 120


async def _stored(engine: AsyncEngine, version: str) -> bool:
    async with reading(engine).connect() as connection:
        return await snapshots.raw(connection, version) is not None


async def test_a_restart_goes_on_where_the_store_stands(address: str, prefix: str, engine: AsyncEngine) -> None:
    """Under the same static id, without reading a record twice: the offsets are the store's."""
    settings, topics = loop_topics.settings(address, prefix), await loop_topics.create(address, prefix)
    metrics = Metrics()
    async with loop_topics.writer(address, topics) as writer:
        for i in range(3):
            await writer.send([verdict(f"r-{i}"), signal(f"r-{i}"), outcome(f"r-{i}")])
            it = Calibrator(settings, NO_REFIT, engine, metrics, timeout_s=10, mark=_no_ledger)
            async with running(it):
                await eventually(partial(ingested, engine, (topics.verdicts,), i + 1))
                await eventually(partial(ingested, engine, (topics.outcomes,), i + 1))
    assert metrics.value("ingested", topic=topics.verdicts) == 3
    assert metrics.value("ingested", topic=topics.outcomes) == 3
    assert metrics.value("lag_records", topic=topics.verdicts, partition="0") == 0
    async with reading(engine).connect() as connection:
        assert await verdicts.first_broken(connection) == {}


async def test_failures_at_any_point_change_nothing(
    address: str, prefix: str, engine: AsyncEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store that fails before or after the commit, and calibrators that die in between: the same rows in the end."""
    settings, topics = loop_topics.settings(address, prefix), await loop_topics.create(address, prefix)
    monkeypatch.setattr("consensus.kafka.calibrator.BATCH", 7)
    monkeypatch.setattr("consensus.kafka.calibrator.BACKOFF_S", (0.001, 0.002))
    sent = messages(40)
    read = (topics.verdicts, topics.signals, topics.outcomes)
    async with loop_topics.writer(address, topics) as writer:
        await writer.send(sent)
    calm = create_engine(f"sqlite+aiosqlite:///{tmp_path / 'calm.sqlite'}")
    await migrate(calm)
    async with running(calibrator(settings, calm)):
        await eventually(lambda: ingested(calm, read, len(sent)))

    rng = random.Random(4)
    store = Ingest.store

    async def failing(self: Ingest, records: Sequence[Record], begin: Any) -> None:
        if rng.random() < 0.3:
            raise StoreUnavailable("before")
        await store(self, records, begin)
        if rng.random() < 0.3:
            raise StoreUnavailable("after: nobody knows that it is written")
        if rng.random() < 0.1:
            raise asyncio.CancelledError

    monkeypatch.setattr(Ingest, "store", failing)
    while not await ingested(engine, read, len(sent)):
        async with running(calibrator(settings, engine)) as task:
            await eventually(partial(_over, task, engine, read, len(sent)))
    assert await contents(engine) == await contents(calm)
    await calm.dispose()


async def test_kills_change_nothing(address: str, prefix: str, engine: AsyncEngine, tmp_path: Path) -> None:
    """kill -9 while it ingests, again and again, under one static id: the rows of an undisturbed run."""
    topics = await loop_topics.create(address, prefix)
    sent = messages(150)
    read = (topics.verdicts, topics.signals, topics.outcomes)
    url = engine.url.render_as_string(hide_password=False)
    command = (sys.executable, "-m", "tests.kafka.calibrator_process", address, prefix, url)
    async with loop_topics.writer(address, topics) as writer:
        for start in range(0, len(sent), 200):
            await writer.send(sent[start : start + 200])
            process = await asyncio.create_subprocess_exec(*command)
            try:
                await eventually(partial(_reached, engine, read, start + 40), seconds=60)
            finally:
                process.kill()
                await process.wait()
    calm = create_engine(f"sqlite+aiosqlite:///{tmp_path / 'calm.sqlite'}")
    await migrate(calm)
    settings = loop_topics.settings(address, prefix)
    for store in (engine, calm):
        async with running(calibrator(settings, store)):
            await eventually(partial(ingested, store, read, len(sent)))
    assert await contents(engine) == await contents(calm)
    await calm.dispose()


async def _reached(engine: AsyncEngine, topics: Sequence[str], records: int) -> bool:
    """Whether at least so many records of the topics have been read."""
    async with reading(engine).connect() as connection:
        stored = await offsets.read(connection)
    return sum(offset for (topic, _), offset in stored.items() if topic in topics) >= records


async def _over(task: asyncio.Task[None], engine: AsyncEngine, topics: Sequence[str], records: int) -> bool:
    return task.done() or await ingested(engine, topics, records)


async def test_two_members_share_the_partitions(address: str, prefix: str, engine: AsyncEngine, tmp_path: Path) -> None:
    """Each ingests what is assigned to it, into one store; together they miss nothing and double nothing."""
    topics = await loop_topics.create(address, prefix)
    sent = messages(30)
    members = [loop_topics.settings(address, prefix, instance_id=f"{prefix}-{i}") for i in range(2)]
    async with (
        loop_topics.writer(address, topics) as writer,
        running(calibrator(members[0], engine)),
        running(calibrator(members[1], engine)),
    ):
        await writer.send(sent)
        await eventually(lambda: ingested(engine, (topics.verdicts, topics.signals, topics.outcomes), len(sent)))
    alone = create_engine(f"sqlite+aiosqlite:///{tmp_path / 'alone.sqlite'}")
    await migrate(alone)
    await feed(alone, Log().records(*sent))
    unordered = ("signals", "outcomes", "labels", "alarms", "panels")
    shared, expected = await contents(engine), await contents(alone)
    assert {name: shared[name] for name in unordered} == {name: expected[name] for name in unordered}
    async with reading(engine).connect() as connection:
        assert await verdicts.first_broken(connection) == {}
    await alone.dispose()


async def test_a_topic_made_anew_is_refused(address: str, prefix: str, engine: AsyncEngine) -> None:
    """A store that has read further than the topic goes belongs to another topic: going on would mix two histories."""
    settings, topics = loop_topics.settings(address, prefix), await loop_topics.create(address, prefix)
    async with engine.begin() as connection:
        await offsets.write(connection, {(topics.outcomes, 0): 5})
    async with running(calibrator(settings, engine)) as task:
        await eventually(task.done)
        with pytest.raises(LogCutShort, match="made anew"):
            task.result()


async def test_published_versions_are_marked_as_committed(address: str, prefix: str, engine: AsyncEngine) -> None:
    """The ledger hears of every version that stands on the topic."""
    settings, topics = loop_topics.settings(address, prefix), await loop_topics.create(address, prefix)
    marked: list[tuple[str, str, int]] = []

    async def mark(versions: Sequence[tuple[str, str, int]]) -> None:
        marked.extend(versions)

    async with loop_topics.writer(address, topics) as writer, running(calibrator(settings, engine, mark=mark)):
        await writer.send([verdict("r-1"), verdict("r-1", version=2, supersedes=1)])
        await eventually(lambda: ingested(engine, (topics.verdicts,), 2))
    assert set(marked) == {("default", "r-1", 1), ("default", "r-1", 2)}


async def test_a_slow_store_gets_smaller_portions(
    address: str, prefix: str, engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A portion that cannot be written in time is not tried for ever in its full size."""
    settings, topics = loop_topics.settings(address, prefix), await loop_topics.create(address, prefix)
    monkeypatch.setattr("consensus.kafka.calibrator.BACKOFF_S", (0.001, 0.002))
    store = Ingest.store

    async def slow(self: Ingest, records: Sequence[Record], begin: Any) -> None:
        if len(records) > 3:
            raise StoreUnavailable("timed out")
        await store(self, records, begin)

    monkeypatch.setattr(Ingest, "store", slow)
    async with loop_topics.writer(address, topics) as writer, running(calibrator(settings, engine)):
        await writer.send(signal(f"r-{i}") for i in range(40))
        await eventually(lambda: ingested(engine, (topics.signals,), 40))


async def test_a_client_that_died_silently_ends_the_calibrator(address: str, prefix: str, engine: AsyncEngine) -> None:
    """Without its fetching task the client would deliver nothing for ever, and say nothing."""
    settings = loop_topics.settings(address, prefix)
    await loop_topics.create(address, prefix)
    it = calibrator(settings, engine)
    async with running(it) as task:
        it._feed._consumer._fetcher._fetch_task.cancel()
        await eventually(task.done)
        with pytest.raises(BrokerUnavailable, match="fetching"):
            task.result()


async def test_a_store_that_is_away_is_waited_for(
    address: str, prefix: str, engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The calibrator neither dies nor loses its place; it goes on when the store is back."""
    settings, topics = loop_topics.settings(address, prefix), await loop_topics.create(address, prefix)
    monkeypatch.setattr("consensus.kafka.calibrator.BACKOFF_S", (0.01, 0.02))
    away, tries = True, 0
    read = Ingest.offsets

    async def offsets_of(self: Ingest) -> Any:
        nonlocal tries
        tries += 1
        if away:
            raise StoreUnavailable("away")
        return await read(self)

    monkeypatch.setattr(Ingest, "offsets", offsets_of)
    async with loop_topics.writer(address, topics) as writer, running(calibrator(settings, engine)):
        await writer.send([signal()])
        await eventually(lambda: tries > 3)
        away = False
        await eventually(lambda: ingested(engine, (topics.signals,), 1))
    assert len((await contents(engine))[tables.signals.name]) == 1
