"""The steps of a campaign on SQLite and PostgreSQL: asked in order, resumed anywhere, ended once, replayed alike."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from calibration import campaign, certificates
from calibration.snapshot import Snapshot
from calibration.store import campaigns, snapshots, tables
from calibration.store.certification import overview
from calibration.store.engine import create_engine, metadata
from calibration.store.migrate import migrate
from consensus import wire
from consensus.freezing import NothingToCertify, Opening, Wanted, freeze
from consensus.kafka.campaigns import AT_ONCE, Campaigns
from consensus.ledger import tables as ledger
from consensus.ledger.tasks import Tasks
from consensus.ledger.transactions import Transactions
from consensus.metrics import Metrics
from consensus.settings import ReviewSettings
from tests import simulated_world as world
from tests.store.stage import TOPICS, Stage, feed

REQUESTS = 120
BUDGET = 60


def rounds(stage: Stage) -> Campaigns:
    """The runner of a calibrator that has just started."""
    store = Transactions(stage.engine, 10)
    return Campaigns(
        store, Tasks(store), stage, TOPICS, ReviewSettings(), Metrics(),
        clock=lambda: stage.clock, now=lambda: stage.now,
    )  # fmt: skip


async def round_of(runner: Campaigns, stage: Stage) -> None:
    await stage.flush()
    stage.clock += 1_000
    await runner.consider(news=True)


async def opened(stage: Stage, alpha: float = 0.2) -> Opening:
    wanted = Wanted("default", world.policy(), world.panel(), alpha, 0.05, BUDGET, 168.0)
    await stage.flush()
    opening = await freeze(stage.engine, wanted, stage.now)
    await stage.publish(opening.snapshot)
    await stage.record(opening.definition.key, opening.definition.to_json())
    return opening


@pytest_asyncio.fixture
async def stage(engine: AsyncEngine) -> Stage:
    """A hundred and twenty requests that were decided after the fit; what was unanimous is released."""
    made, snapshot = Stage(engine), fitted()
    await made.publish(snapshot)
    for i in range(REQUESTS):
        await made.decided(world.request(f"r-{i}"), world.policy(), snapshot, partition=i % 2)
    return made


_fitted: list[Snapshot] = []


def fitted() -> Snapshot:
    if not _fitted:
        _fitted.append(world.snapshot())
    return _fitted[0]


async def finish(runner: Campaigns, stage: Stage, opening: Opening) -> None:
    """Rule on everything that is asked until the campaign has ended."""
    told = 0
    for _ in range(BUDGET):
        await round_of(runner, stage)
        async with stage.engine.connect() as connection:
            if (await campaigns.later(connection, opening.definition.id)).end is not None:
                break
        for task in stage.tasks[told:]:
            stage.told(task.request_id, world.truth(task.request_id))
        told = len(stage.tasks)
    await round_of(runner, stage)


async def test_tasks_come_in_the_frozen_order_a_few_at_a_time_and_look_like_any_other(stage: Stage) -> None:
    opening = await opened(stage)
    await round_of(rounds(stage), stage)
    plan, items = opening.definition.plan, opening.definition.items
    region = [item.request_id for item in items if item.score >= plan.thresholds[plan.start]]
    assert [task.request_id for task in stage.tasks] == region[:AT_ONCE]
    other = await stage.decided(world.request("pending", stakes="high"), world.policy(), fitted())
    assert other.review is not None
    for task, record in zip(stage.tasks, stage.sent, strict=True):
        number = int(task.request_id.removeprefix("r-"))
        assert (record.topic, record.partition) == (TOPICS.reviews, number % 2)
        assert task.task_id.startswith(f"{number % 2}:")
        asked = wire.read(type(world.request("x")), wire.write(world.request(task.request_id)))
        assert (task.question, task.answer, task.overlap) == (asked.prompt, asked.answer, 1)
        assert set(task.model_dump()) == set(other.review.model_dump())
        said = {world.says(model, task.request_id) for model in world.SKILLS}
        assert {candidate.label for candidate in task.candidates} == said
        assert b"model" not in wire.write(task)


async def test_a_calibrator_that_starts_again_asks_the_same_in_the_same_bytes(stage: Stage) -> None:
    """Within one life each task is sent once; the next life sends what is outstanding again, under its task id."""
    await opened(stage)
    first = rounds(stage)
    await round_of(first, stage)
    await round_of(first, stage)
    assert len(stage.sent) == AT_ONCE
    stage.now += timedelta(hours=1)
    await round_of(rounds(stage), stage)
    assert stage.sent[AT_ONCE:] == stage.sent[:AT_ONCE]


async def test_a_label_that_does_not_come_is_an_error_for_good(stage: Stage) -> None:
    """One task is answered too late: it stays an error; the walk goes on with the next."""
    opening = await opened(stage)
    definition, runner = opening.definition, rounds(stage)
    await round_of(runner, stage)
    for task in stage.tasks[1:]:
        stage.told(task.request_id, world.truth(task.request_id))
    late = stage.tasks[0].request_id
    stage.now += timedelta(hours=169)
    await round_of(runner, stage)
    stage.told(late, world.truth(late))
    await finish(rounds(stage), stage, opening)
    async with stage.engine.connect() as connection:
        later = await campaigns.later(connection, definition.id)
    # Tasks that waited in the queue since before the campaign are overdue as well.
    waiting = {f"r-{i}" for i in range(REQUESTS) if len({world.says(model, f"r-{i}") for model in world.SKILLS}) > 1}
    missing = {definition.items[i].request_id for i in later.missing}
    assert missing - waiting == {late}
    truths = {item.key: world.OPTIONS.index(world.truth(item.request_id)) for item in definition.items}
    wrong = campaign.wrongs(definition, truths, later.missing)
    assert later.end is not None
    assert later.end.progress == certificates.walk(definition.plan, definition.scores, wrong)


async def test_a_request_that_is_kept_no_longer_is_missing_at_once(stage: Stage) -> None:
    """Nobody can be asked about a text that is gone; a campaign must not wait for it."""
    opening = await opened(stage)
    plan = opening.definition.plan
    first = next(i for i, item in enumerate(opening.definition.items) if item.score >= plan.thresholds[plan.start])
    gone = opening.definition.items[first].request_id
    async with stage.engine.begin() as connection:
        which = ledger.decisions.c.request_id == gone
        await connection.execute(update(ledger.decisions).where(which).values(request=None, review=None))
    await round_of(rounds(stage), stage)
    async with stage.engine.connect() as connection:
        assert (await campaigns.later(connection, opening.definition.id)).missing == (first,)


async def test_it_ends_once_with_a_certified_snapshot(stage: Stage) -> None:
    """A new life of the calibrator neither ends it again nor publishes the certificate again."""
    opening = await opened(stage)
    await finish(rounds(stage), stage, opening)
    records = len(stage.records)
    await round_of(rounds(stage), stage)
    assert len(stage.records) == records
    async with stage.engine.connect() as connection:
        raw = await snapshots.current(connection, "certified/default")
        assert await snapshots.current(connection, "default") == fitted().to_json()
        found = await overview(connection, stage.now)
    assert raw is not None
    certificate = Snapshot.from_json(raw).certificate("default")
    assert certificate is not None
    [one] = found["campaigns"]
    assert (one["state"], one["threshold"], one["n"]) == (
        "certified", certificate.threshold, certificate.n,
    )  # fmt: skip
    assert 0 < one["labels_used"] <= BUDGET
    assert 0 < one["coverage"] <= 1
    [listed] = found["certificates"]
    assert (listed["class"], listed["revoked"], listed["errors"]) == ("default", False, certificate.errors)


async def test_replayed_topics_give_the_same_state(stage: Stage, tmp_path: Path) -> None:
    """Calibration tables dropped, topics read again: the same rows, and nothing is left to do."""
    await finish(rounds(stage), stage, await opened(stage))
    other = create_engine(f"sqlite+aiosqlite:///{tmp_path / 'replayed.sqlite'}")
    await migrate(other)
    await feed(other, stage.records)
    for table in metadata.sorted_tables:
        if not table.name.startswith("ledger_"):
            async with stage.engine.connect() as before, other.connect() as after:
                rows = [{tuple(row) for row in await c.execute(select(table))} for c in (before, after)]
            assert rows[0] == rows[1], table.name
    again = Stage(other, list(stage.records), now=stage.now, _fed=len(stage.records))
    await round_of(rounds(again), again)
    assert (len(again.records), again.sent) == (len(stage.records), [])
    await other.dispose()


async def test_a_broker_that_is_away_only_delays(stage: Stage) -> None:
    opening = await opened(stage)
    runner = rounds(stage)
    stage.away = True
    await round_of(runner, stage)
    assert stage.sent == []
    stage.away = False
    await finish(runner, stage, opening)
    async with stage.engine.connect() as connection:
        assert (await campaigns.later(connection, opening.definition.id)).end is not None


async def test_one_campaign_at_a_time_and_each_spends_its_own_share(stage: Stage) -> None:
    """The second cycle promises less, on another order; what is fitted and what was released before is no archive."""
    first = await opened(stage)
    with pytest.raises(NothingToCertify, match="has not ended"):
        await opened(stage)
    await finish(rounds(stage), stage, first)
    second = await opened(stage)
    assert second.definition.id == "default:2"
    assert second.definition.share == pytest.approx(first.definition.share / 4)


async def test_without_snapshot_or_fresh_requests_there_is_nothing_to_certify(engine: AsyncEngine) -> None:
    """Requests that were decided before the fit may have been learned from."""
    stage = Stage(engine)
    with pytest.raises(NothingToCertify, match="no snapshot"):
        await opened(stage)
    await stage.publish(fitted())
    stage.now = world.FITTED_AT - timedelta(days=1)
    for i in range(5):
        await stage.decided(world.request(f"r-{i}"), world.policy(), None)
    with pytest.raises(NothingToCertify, match="none of 0 requests"):
        await opened(stage)


async def test_labels_older_than_the_fit_keep_a_request_out_of_the_archive(engine: AsyncEngine) -> None:
    """A gold outcome may be dated before its request was decided: it may have been learned from."""
    stage = Stage(engine)
    await stage.publish(fitted())
    for i in range(40):
        await stage.decided(world.request(f"r-{i}"), world.policy(), fitted())
    stage.now = world.FITTED_AT
    stage.told("r-7", "A", source="gold")
    opening = await opened(stage)
    assert opening.definition.archive == 39


async def test_tables_hold_the_latest_missing_list_and_the_first_end(stage: Stage) -> None:
    """Two leaders at once may both say how it ended: the first is the truth everywhere."""
    opening = await opened(stage)
    await finish(rounds(stage), stage, opening)
    async with stage.engine.connect() as connection:
        end = (await campaigns.later(connection, opening.definition.id)).end
    assert end is not None
    other = end.model_copy(update={"at": end.at + timedelta(seconds=5)})
    await stage.record(end.key, other.to_json())
    async with stage.engine.connect() as connection:
        assert (await campaigns.later(connection, opening.definition.id)).end == end
        parts = (await connection.execute(select(tables.campaign_records.c.part))).scalars().all()
    assert sorted(parts) == ["definition", "end"]
