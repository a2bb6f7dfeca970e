"""The demonstration's outside world: producers, a reviewer who knows the answers, and what became of it all."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TypeVar

from consensus import wire
from consensus.demo.acts import Act
from consensus.demo.cases import Case
from consensus.errors import ConsensusError
from consensus.kafka.client import Client
from consensus.kafka.dump import dump
from consensus.kafka.topics import Topics
from consensus.settings import KafkaSettings
from consensus.types import LabelValue, Outcome, OutcomeSource, ReviewTask, Ruling, RulingDecision, Signal, Verdict

T = TypeVar("T")

AT_ONCE = 64
"""Requests that the producer keeps open; the rest waits at its side."""
CALL_S = 600.0

Place = tuple[int, int]
"""Partition and offset."""

Progress = Callable[[], None]
"""Called once for each thing done."""


class Unanswered(ConsensusError):
    """A request of the demonstration had no verdict in time."""


class Traffic:
    """Sends cases and rulings through Kafka and reads the topics back."""

    def __init__(self, settings: KafkaSettings, client: Client) -> None:
        self._settings = settings
        self._topics = Topics(settings.prefix)
        self._client = client

    async def act(self, name: str, cases: Iterable[Case], done: Progress) -> Act:
        """Send every case, wait for its verdict, and gather what the topics hold about these ids."""
        asked = {case.request.id: case for case in cases}
        started = time.monotonic()
        await _each(asked.values(), self._decide, done)
        return await self.gather(name, asked, time.monotonic() - started)

    async def gather(self, name: str, cases: Mapping[str, Case], seconds: float) -> Act:
        """An act from the committed records about its ids."""
        verdicts = [wire.read(Verdict, value) for value in await self._values(self._topics.verdicts)]
        signals = [wire.read(Signal, value) for value in await self._values(self._topics.signals)]
        letters = await dump(self._settings, self._topics.dead_letters)
        return Act(
            name,
            cases,
            [verdict for verdict in verdicts if verdict.request_id in cases],
            [signal for signal in signals if signal.request_id in cases],
            sum((record.key or b"").decode("utf-8", "replace") in cases for record in letters),
            seconds,
        )

    async def review(self, act: Act, done: Progress) -> None:
        """Rule on every pending case of an act as a blind reviewer who is always right; give gold for the others."""
        tasks = {task.request_id: task for task in await self._tasks()}
        first = [verdict for verdict in act.verdicts if verdict.version == 1]
        pending = [verdict for verdict in first if verdict.status == "pending_review"]
        others = [verdict for verdict in first if verdict.status != "pending_review"]

        async def rule(verdict: Verdict) -> None:
            await self._rule(tasks[verdict.request_id], act.cases[verdict.request_id])

        async def tell(verdict: Verdict) -> None:
            await self._tell(act.cases[verdict.request_id])

        await _each(pending, rule, done)
        await _each(others, tell, done)

    async def task_records(self) -> set[Place]:
        """Where the review tasks lie that are on the topic now."""
        return {(record.partition, record.offset) for record in await dump(self._settings, self._topics.reviews)}

    async def rule_on_new(self, known: set[Place], cases: Mapping[str, Case], done: Progress) -> None:
        """Rule blind on every task that is not ``known`` yet, which it then is."""
        for record in await dump(self._settings, self._topics.reviews):
            if (record.partition, record.offset) not in known:
                known.add((record.partition, record.offset))
                task = wire.read(ReviewTask, record.value)
                await self._client.rule(_ruling(task, cases[task.request_id]))
                done()

    async def _decide(self, case: Case) -> None:
        try:
            await self._client.decide(case.request, deadline=_in(CALL_S))
        except TimeoutError:
            raise Unanswered(f"no verdict on {case.request.id} within {CALL_S:g} s") from None

    async def _rule(self, task: ReviewTask, case: Case) -> None:
        with self._client.watch(task.tenant, task.request_id) as watch:
            await self._client.rule(_ruling(task, case))
            try:
                await watch.newer(1, deadline=_in(CALL_S))
            except TimeoutError:
                raise Unanswered(f"the ruling on {task.request_id} had no effect within {CALL_S:g} s") from None

    async def _tell(self, case: Case) -> None:
        outcome = Outcome(
            outcome_id=f"gold-{case.request.id}",
            request_id=case.request.id,
            tenant=case.request.tenant,
            label=_label(case),
            source=OutcomeSource.GOLD,
            observed_at=datetime.now(UTC),
        )
        await self._client.record_outcome(outcome)

    async def _tasks(self) -> Sequence[ReviewTask]:
        return [wire.read(ReviewTask, value) for value in await self._values(self._topics.reviews)]

    async def _values(self, topic: str) -> list[bytes]:
        return [record.value for record in await dump(self._settings, topic) if record.value is not None]


async def _each(things: Iterable[T], work: Callable[[T], Awaitable[None]], done: Progress) -> None:
    """Do ``work`` on all things, `AT_ONCE` at a time; the first error ends it."""
    room = asyncio.Semaphore(AT_ONCE)

    async def one(thing: T) -> None:
        async with room:
            await work(thing)
        done()

    async with asyncio.TaskGroup() as group:
        for thing in things:
            group.create_task(one(thing))


def _ruling(task: ReviewTask, case: Case) -> Ruling:
    """What a blind reviewer who is always right decides."""
    return Ruling(
        task_id=task.task_id,
        request_id=task.request_id,
        tenant=task.tenant,
        reviewer="demo-reviewer",
        decision=RulingDecision.ANSWER,
        answer=_label(case),
        blind=True,
        decided_at=datetime.now(UTC),
    )


def _label(case: Case) -> LabelValue:
    return case.gold[0] if isinstance(case.gold, tuple) else case.gold


def _in(seconds: float) -> float:
    return asyncio.get_running_loop().time() + seconds
