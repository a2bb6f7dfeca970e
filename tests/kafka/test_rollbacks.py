"""Going back to an earlier snapshot, end to end: store, topic, workers, and the record of who and why."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from calibration.rollback import Rollback, RollbackInvalid
from calibration.snapshot import Snapshot
from calibration.store import alarms, rollbacks, snapshots, tables
from calibration.store.engine import reading
from consensus.errors import SnapshotRefused
from consensus.kafka.rollbacks import roll_back
from consensus.ledger.transactions import Transactions
from consensus.settings import KafkaSettings
from tests.eventually import eventually
from tests.kafka import loop_topics
from tests.kafka.followers import following, publishing
from tests.kafka.test_calibrator import calibrator, running
from tests.kafka.test_snapshots import in_use, snapshot

AT = datetime(2026, 5, 1, 12, tzinfo=UTC)
MODELS = ("a", "b", "c")


async def back(
    settings: KafkaSettings, engine: AsyncEngine, version: str | None = None, models: tuple[str, ...] = MODELS
) -> Rollback:
    store = Transactions(engine, 10)
    return await roll_back(settings, store, version, by="ann", reason="worse in law", at=AT, models=models)


async def newest(engine: AsyncEngine) -> str | None:
    async with reading(engine).connect() as connection:
        known = await snapshots.history(connection, "default")
    return known[0] if known else None


async def test_back_to_the_one_before_and_to_a_named_one(address: str, prefix: str, engine: AsyncEngine) -> None:
    """A running worker swaps; the store knows who and why, also when it is filled again."""
    settings, _ = loop_topics.settings(address, prefix), await loop_topics.create(address, prefix)
    first, second, third = snapshot(100), snapshot(150), snapshot(200)
    async with (
        running(calibrator(settings, engine)),
        following(settings, models=MODELS) as follower,
        publishing(settings) as publisher,
    ):
        for one in (first, second, third):
            await publisher.publish(one)
        await eventually(partial(_is_newest, engine, third.version), seconds=60)
        done = await back(settings, engine)
        assert (done.version, done.instead_of) == (second.version, third.version)
        await eventually(partial(in_use, follower, second.version), seconds=60)
        await eventually(partial(_is_newest, engine, second.version), seconds=60)
        await back(settings, engine, first.version)
        await eventually(partial(in_use, follower, first.version), seconds=60)
        await eventually(partial(_is_newest, engine, first.version), seconds=60)
    async with reading(engine).connect() as connection:
        told = await rollbacks.history(connection)
    assert [(one.version, one.instead_of, one.by, one.reason, one.at) for one in told] == [
        (second.version, third.version, "ann", "worse in law", AT),
        (first.version, second.version, "ann", "worse in law", AT),
    ]


async def _is_newest(engine: AsyncEngine, version: str) -> bool:
    return await newest(engine) == version


async def test_what_cannot_be_gone_back_to_is_refused(address: str, prefix: str, engine: AsyncEngine) -> None:
    """Nothing, the only one, the one in use, an unknown, a damaged one, one of strange models: none is published."""
    settings, _ = loop_topics.settings(address, prefix), await loop_topics.create(address, prefix)
    with pytest.raises(SnapshotRefused, match="no snapshot was ever published"):
        await back(settings, engine)
    first, second = snapshot(100), snapshot(150)
    await put(engine, first, 0)
    with pytest.raises(SnapshotRefused, match="is the only snapshot"):
        await back(settings, engine)
    await put(engine, second, 1)
    with pytest.raises(SnapshotRefused, match="in use already"):
        await back(settings, engine, second.version)
    with pytest.raises(SnapshotRefused, match=f"s-0 was never published; the latest are {second.version}"):
        await back(settings, engine, "s-0")
    with pytest.raises(SnapshotRefused, match="not configured: \\['c'\\]"):
        await back(settings, engine, models=("a", "b"))
    async with engine.begin() as connection:
        here = tables.snapshots.c.version == first.version
        raw = first.to_json().replace(b'"labels":', b'"labels":1')
        await connection.execute(tables.snapshots.update().where(here).values(raw=raw))
    with pytest.raises(SnapshotRefused, match="does not match version"):
        await back(settings, engine)
    async with following(settings) as follower:
        assert in_use(follower, None)


async def put(engine: AsyncEngine, one: Snapshot, offset: int) -> None:
    async with engine.begin() as connection:
        row = snapshots.SnapshotRow(one.version, one.name, one.fitted_at, one.labels, 0, offset, one.to_json())
        await snapshots.put(connection, row)


async def test_a_record_that_is_no_rollback_is_an_alarm(address: str, prefix: str, engine: AsyncEngine) -> None:
    """Whoever wrote it, ingestion goes on."""
    settings, _ = loop_topics.settings(address, prefix), await loop_topics.create(address, prefix)
    async with running(calibrator(settings, engine)), publishing(settings) as publisher:
        await publisher.record("rollback/default:now", b'{"name": "default"}')
        await eventually(partial(_alarmed, engine), seconds=60)
    with pytest.raises(RollbackInvalid, match="version"):
        Rollback.from_json(b'{"name": "default"}')


async def _alarmed(engine: AsyncEngine) -> bool:
    async with reading(engine).connect() as connection:
        return [alarm["code"] for alarm in await alarms.newest(connection, 5)] == ["record_unreadable"]
