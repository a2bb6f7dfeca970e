"""A campaign through broker, queue, worker and calibrator, with a reviewer whose answers are known in advance."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial

import pytest

from calibration import campaign, certificates
from calibration.campaign import Definition, End
from calibration.store import campaigns, offsets
from calibration.store.certification import status
from calibration.store.engine import reading
from consensus import wire
from consensus.freezing import Opening, Wanted, freeze, publish
from consensus.kafka.campaigns import AT_ONCE
from consensus.pipeline import decide
from consensus.types import ReviewTask, Status
from tests import simulated_world as world
from tests.eventually import eventually
from tests.kafka.followers import following, publishing
from tests.kafka.rig import Rig

REQUESTS = 200
BUDGET = 80
LATE_S = 150.0
"""Bound of every wait: machines that run tests are busy."""

REFUSED = {f"r-{i}": "unanswerable" for i in range(0, REQUESTS, 40)}
"""Cases that the reviewer finds unanswerable: errors, whatever the panel said."""


@asynccontextmanager
async def calibrating(line: Rig) -> AsyncIterator[asyncio.subprocess.Process]:
    """A calibrator in its own process, killed at the end: it never gets to tidy up."""
    url = line.engine.url.render_as_string(hide_password=False)
    command = (sys.executable, "-m", "tests.kafka.calibrator_process", line.settings.bootstrap_servers)
    process = await asyncio.create_subprocess_exec(*command, line.settings.prefix, url)
    try:
        yield process
    finally:
        process.kill()
        await process.wait()


class Reviewer:
    """Rules on every task once, as it appears on the topic; ``asked`` are the requests in the order of their tasks."""

    def __init__(self, line: Rig) -> None:
        self._line = line
        self.asked: list[str] = []
        self._seen: set[str] = set()

    async def work(self) -> None:
        """Rule on what has appeared since the last call."""
        await self._line.poll()
        for record in self._line.seen["reviews"]:
            task = wire.read(ReviewTask, record.value)
            if task.task_id not in self._seen:
                self._seen.add(task.task_id)
                self.asked.append(task.request_id)
                await self._line.send(world.ruling(task, REFUSED), topic="rulings", partition=record.partition)


async def ingested(line: Rig, topic: str, records: int) -> bool:
    async with reading(line.engine).connect() as connection:
        stored = await offsets.read(connection)
    return sum(offset for (name, _), offset in stored.items() if name == line.topics.named(topic)) >= records


async def opened(line: Rig, alpha: float = 0.15) -> Opening:
    rules = world.policy()
    wanted = Wanted("default", rules, world.panel(), alpha, 0.05, BUDGET, 168.0)
    return await freeze(line.engine, wanted, datetime.now(UTC))


async def end_of(line: Rig, ident: str) -> End | None:
    async with reading(line.engine).connect() as connection:
        return (await campaigns.later(connection, ident)).end


async def used(line: Rig, ident: str) -> int:
    """Labels that the campaign has used, 0 before its definition is known."""
    async with reading(line.engine).connect() as connection:
        if ident not in await campaigns.all_ids(connection):
            return 0
        return int((await status(connection, ident))["labels_used"])


def offline(definition: Definition) -> tuple[certificates.Progress, list[int]]:
    """The walk on all labels at once, and the positions that it used."""
    truths = {item.key: world.OPTIONS.index(world.truth(item.request_id)) for item in definition.items}
    truths |= {("default", ident): -1 for ident in REFUSED}
    wrong = campaign.wrongs(definition, truths)
    progress = certificates.walk(definition.plan, definition.scores, wrong)
    return progress, [i for i, item in enumerate(definition.items) if item.score >= (progress.threshold or 0)]


@pytest.mark.timeout(900)
async def test_a_campaign_ends_like_the_walk_offline_though_the_calibrator_is_killed_twice(line: Rig) -> None:
    """To the last label; then the class accepts under the certificate, and a second reader of the topic agrees."""
    decided = partial(decide, resources=world.resources(world.policy()))
    async with publishing(line.settings) as publisher, line.worker(decided), following(line.settings) as follower:
        await publisher.publish(world.snapshot())
        async with calibrating(line):
            for i in range(REQUESTS):
                await line.send(world.request(f"r-{i}"), partition=i % 2)
            await line.until(verdicts=REQUESTS)
            await eventually(lambda: ingested(line, "signals", REQUESTS), seconds=LATE_S)
            await eventually(lambda: ingested(line, "verdicts", REQUESTS), seconds=LATE_S)
            await eventually(lambda: ingested(line, "snapshots", 1), seconds=LATE_S)
        opening = await opened(line)
        assert opening.promising
        await publish(publisher, opening)
        reviewer = Reviewer(line)
        expected, region = offline(opening.definition)
        for goal in (expected.used // 5, expected.used // 2, None):
            async with calibrating(line):
                await eventually(partial(_advanced, line, reviewer, opening.definition.id, goal), seconds=LATE_S)
        end = await end_of(line, opening.definition.id)
        assert end is not None
        assert end.progress == expected
        assert end.certificate is not None
        assert (end.certificate.n, end.certificate.errors) == (expected.n, expected.errors)
        assert expected.regions >= 1
        await eventually(lambda: follower.snapshot_of("default") is not follower.current, seconds=LATE_S)
        await eventually(partial(_ruled, line, len(reviewer.asked)), seconds=LATE_S)
        _wrong_answers_are_taken_back(line, reviewer)
    _asked_in_order(opening.definition, reviewer, expected, region)


async def _advanced(line: Rig, reviewer: Reviewer, ident: str, goal: int | None) -> bool:
    """Whether the campaign has used so many labels, or has ended and is deployed (``None``)."""
    await reviewer.work()
    if goal is None:
        return await end_of(line, ident) is not None and await _deployed(line)
    return await used(line, ident) >= goal


async def _deployed(line: Rig) -> bool:
    from calibration.store import snapshots

    async with reading(line.engine).connect() as connection:
        return await snapshots.current(connection, "certified/default") is not None


async def _ruled(line: Rig, rulings: int) -> bool:
    """Whether every ruling has led to an outcome."""
    await line.poll()
    return len(line.seen["outcomes"]) >= rulings


def _wrong_answers_are_taken_back(line: Rig, reviewer: Reviewer) -> None:
    """An audit that contradicts a released answer makes the next version, one that agrees makes none."""
    released = [ident for ident in reviewer.asked if line.verdicts(ident)[0].status is Status.ACCEPTED]
    assert released
    for ident in released:
        first, *later = line.verdicts(ident)
        if ident in REFUSED:
            assert [(v.version, v.status) for v in later] == [(2, Status.ABSTAINED)]
        elif first.answer != world.truth(ident):
            assert [(v.version, v.status, v.answer) for v in later] == [(2, Status.REVIEWED, world.truth(ident))]
        else:
            assert later == []


def _asked_in_order(
    definition: Definition, reviewer: Reviewer, expected: certificates.Progress, region: list[int]
) -> None:
    """Released answers were asked about in the frozen order within what the walk needed, hardly more than it used."""
    position = {item.request_id: i for i, item in enumerate(definition.items)}
    pending = {f"r-{i}" for i in range(REQUESTS) if len({world.says(model, f"r-{i}") for model in world.SKILLS}) > 1}
    audits = [position[ident] for ident in reviewer.asked if ident not in pending]
    assert 0 < len(audits) <= expected.used + AT_ONCE
    assert set(audits[: len(audits) - AT_ONCE]) <= set(region)
