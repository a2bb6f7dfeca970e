"""The demonstration: the loop in three acts, or a recorded panel in one."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import aiohttp

from calibration.snapshot import Snapshot
from consensus.demo import configuration
from consensus.demo.acts import Act
from consensus.demo.cases import Case, vignettes, written
from consensus.demo.certification import LABELS, certify
from consensus.demo.house import House, house
from consensus.demo.traffic import Progress, Traffic, Unanswered
from consensus.kafka.client import Client
from consensus.kafka.snapshots import Follower
from consensus.life import running
from consensus.metrics import Metrics
from consensus.recorded_panel import RecordedQuestion, recorded
from consensus.types import Request, Stakes

SEED = 7
RECENT = 160
"""Requests of the archive that the campaign walks through."""

FRESH = 60
"""New requests of the certified class in the third act: its own 64 are spread over three classes."""

REFIT_S = 120.0
POLL_S = 0.1


class Stage(Protocol):
    """Where progress is shown."""

    def scene(self, title: str, total: int | None = None) -> Progress:
        """Begin a step of ``total`` things; call what it returns once for each."""
        ...


@dataclass(frozen=True)
class Played:
    """The acts, and what came of the campaign in the second one; ``None`` where there was none."""

    acts: list[Act]
    certification: dict[str, Any] | None = None


@dataclass(frozen=True)
class Options:
    """What the command line chose. ``panel``: a recorded panel instead of simulated models."""

    folder: Path
    broker: str | None = None
    panel: Path | None = None
    limit: int | None = None
    models: tuple[str, ...] | None = None
    config: Path | None = None


async def play(options: Options, stage: Stage) -> Played:
    """Run the demonstration."""
    if options.panel is not None:
        return await _recorded(options, options.panel, stage)
    return await _loop(options, stage)


async def _loop(options: Options, stage: Stage) -> Played:
    """Act one decides without a snapshot; act two brings rulings, a refit and a campaign; act three decides with it."""
    questions = written()
    earlier, recent, fresh = _vignettes()
    told = configuration.truths([*questions, *earlier, *recent, *fresh], options.folder / "questions.jsonl")
    configure = configuration.simulated
    if options.config is not None:
        configure = partial(configuration.users, options.config)
    stage.scene("starting broker, provider, worker, gateway and calibrator")
    provider = ["--questions", str(told)]
    async with house(options.folder, configure, provider, broker=options.broker) as home, _traffic(home) as traffic:
        first = await traffic.act("uncalibrated", questions, stage.scene("act 1: no snapshot yet", len(questions)))
        second, snapshot = await _feedback(home, traffic, earlier, stage)
        certification = await _certified(home, traffic, recent, stage)
        again = [*(case.under(f"again-{case.request.id}") for case in questions), *fresh]
        third = await traffic.act("calibrated", again, stage.scene(f"act 3: with {snapshot.version}", len(again)))
        return Played([first, second, third], certification)


def _vignettes() -> tuple[list[Case], list[Case], list[Case]]:
    """Earlier requests at all stakes, then recent ones and fresh ones of the class that is to be certified."""
    drawn = vignettes(configuration.REFIT_LABELS + RECENT, SEED)
    known = {case.request.prompt for case in drawn}
    new = [case for case in vignettes(2 * FRESH, SEED + 1) if case.request.prompt not in known]
    rest = drawn[configuration.REFIT_LABELS :]
    recent = [case.under(f"recent-{i:04d}", Stakes.STANDARD) for i, case in enumerate(rest)]
    fresh = [case.under(f"fresh-{i:04d}", Stakes.STANDARD) for i, case in enumerate(new[:FRESH])]
    return drawn[: configuration.REFIT_LABELS], recent, fresh


async def _feedback(home: House, traffic: Traffic, earlier: list[Case], stage: Stage) -> tuple[Act, Snapshot]:
    """Earlier requests, people's rulings on them, and the snapshot that is fitted on those."""
    second = await traffic.act("feedback", earlier, stage.scene("act 2: earlier requests", len(earlier)))
    await traffic.review(second, stage.scene("act 2: people rule, outcomes arrive", len(earlier)))
    second = await traffic.gather("feedback", second.cases, second.seconds)
    snapshot = await _refitted(home, stage.scene("act 2: the calibrator refits"))
    await _in_use(home, snapshot)
    return second, snapshot


async def _certified(home: House, traffic: Traffic, recent: list[Case], stage: Stage) -> dict[str, Any]:
    """Recent requests, which nothing was fitted on, and the campaign that audits them."""
    await traffic.act("recent", recent, stage.scene("act 2: recent requests", len(recent)))
    return await certify(home, traffic, recent, stage.scene("act 2: a campaign asks people", LABELS))


async def _recorded(options: Options, panel: Path, stage: Stage) -> Played:
    questions = list(recorded(panel, options.models, options.limit))
    configure = partial(configuration.recorded, families=_families(questions))
    stage.scene("starting broker, provider, worker, gateway and calibrator")
    replay = ["--panel", str(panel)]
    async with house(options.folder, configure, replay, broker=options.broker) as home, _traffic(home) as traffic:
        cases = [_case(question) for question in questions]
        return Played([await traffic.act("recorded", cases, stage.scene("replaying the recorded panel", len(cases)))])


@asynccontextmanager
async def _traffic(home: House) -> AsyncIterator[Traffic]:
    client = Client(home.settings.kafka, Metrics(), max_waiting=10_000)
    await client.start()
    try:
        yield Traffic(home.settings.kafka, client)
    finally:
        await client.stop()


async def _refitted(home: House, done: Progress) -> Snapshot:
    """The first snapshot that the calibrator publishes. Raises Unanswered."""
    follower = Follower(home.settings.kafka, Metrics())
    async with AsyncExitStack() as stack:
        await follower.start()
        stack.push_async_callback(follower.stop)
        await stack.enter_async_context(running(follower.run()))
        with suppress(TimeoutError):
            async with asyncio.timeout(REFIT_S):
                while follower.current is None:  # noqa: ASYNC110  (a topic is polled)
                    await asyncio.sleep(POLL_S)
        done()
        if follower.current is None:
            raise Unanswered(f"no snapshot within {REFIT_S:g} s\n{home.processes['calibrator'].tail()}")
        return follower.current


async def _in_use(home: House, snapshot: Snapshot) -> None:
    """Wait until the worker says that it decides with a snapshot of as many labels."""
    url = f"http://{home.probe('worker')}/metrics"
    async with asyncio.timeout(REFIT_S), aiohttp.ClientSession() as session:
        while True:
            async with session.get(url) as reply:
                found = re.search(r"^consensus_snapshot_labels (\S+)$", await reply.text(), re.MULTILINE)
            if found is not None and float(found[1]) >= snapshot.labels:
                return
            await asyncio.sleep(POLL_S)


def _case(question: RecordedQuestion) -> Case:
    request: dict[str, Any] = {
        "id": question.id,
        "domain": question.domain,
        "stakes": "standard",
        "prompt": question.question,
        "answer": question.spec,
        "deadline_ms": configuration.RECORDED_DEADLINE_MS,
    }
    return Case(Request.model_validate(request), question.gold)


def _families(questions: list[RecordedQuestion]) -> Mapping[str, str]:
    found: dict[str, str] = {}
    for question in questions:
        found |= {model: reply.family for model, reply in question.answers.items()}
    return dict(sorted(found.items()))
