"""The requests that this process is deciding, whoever owns their partitions by now.

A decision that was begun is never cancelled by a rebalance: its calls run on, their answers and the decision go to the
ledger, and a partition that comes back finds it still running.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

import structlog

from consensus import logs, wire
from consensus.errors import DeadLetter, Fenced, Poison, Retry, Stop
from consensus.kafka.messages import Incoming, vote_record
from consensus.kafka.slots import Slots
from consensus.kafka.topics import Topics
from consensus.kafka.votes import Votes
from consensus.ledger import Asked, Ledger, StoredLog, Version
from consensus.ledger.claims import Key
from consensus.metrics import Metrics
from consensus.models.protocol import CallLog
from consensus.patience import Backoff, patiently
from consensus.types import Answer, BallotEntry, Decision, Request

log = structlog.get_logger()


class Decide(Protocol):
    """The seam to the pipeline: ``pipeline.decide`` with its resources bound."""

    def __call__(
        self,
        request: Request,
        *,
        received_at: datetime,
        log: CallLog,
        place: str,
        on_vote: Callable[[BallotEntry], None] | None,
    ) -> Awaitable[Decision]: ...


@dataclass(frozen=True)
class Job:
    """One record of the requests topic and what was read from it.

    ``read_at``: when, in seconds of the monotonic clock; it is claimed after that.
    """

    record: Incoming
    request: Request
    asked: Asked
    read_at: float = field(default_factory=time.monotonic)


Result = Version | DeadLetter | Fenced | None
"""What is stored, why it cannot be decided, that another process is deciding it, or None when the claim has passed to
another record."""


class Deciding:
    """Decisions under way, at most one for each record."""

    def __init__(
        self, decide: Decide, ledger: Ledger, slots: Slots, topics: Topics, *, votes: Votes, metrics: Metrics
    ) -> None:
        self._decide = decide
        self._ledger = ledger
        self._slots = slots
        self._topics = topics
        self._votes = votes
        self._metrics = metrics
        self._running: dict[tuple[int, int], tuple[Job, asyncio.Task[Result]]] = {}
        self.stored = asyncio.Event()
        """Set whenever a decision was stored: whoever waits for one may look again."""
        self.stopped: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Fails when a decision raised Stop, so that it is noticed even where nobody waits for that decision."""

    def outside(self, partitions: set[int]) -> int:
        """How many decisions are under way for partitions that this process has given up."""
        return sum(partition not in partitions for partition, _ in self._running)

    def keys(self, partitions: Collection[int]) -> list[Key]:
        """The ids that are being decided in these partitions."""
        return [job.asked.key for (partition, _), (job, _) in self._running.items() if partition in partitions]

    def fail(self, error: BaseException | None) -> None:
        """End the process with this error; the first one counts."""
        if error is not None and not self.stopped.done():
            self.stopped.set_exception(error)

    def begin(self, job: Job, *, fresh: bool) -> asyncio.Task[Result]:
        """Decide the record in a slot that the caller has taken, or join the decision that is under way.

        ``fresh``: nothing had been recorded for it when it was claimed. The slot is given back here in either case.
        """
        place = (job.asked.partition, job.asked.offset)
        running = self._running.get(place)
        if running is not None:
            self._slots.give()
            return running[1]
        task = asyncio.create_task(self._run(job, fresh), name=f"decide-{place[0]}-{place[1]}")
        self._running[place] = (job, task)
        task.add_done_callback(lambda done: self._ended(place, done))
        return task

    async def abandon(self) -> None:
        """Cancel everything and wait for it: only when the process ends."""
        tasks = [task for _, task in self._running.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _ended(self, place: tuple[int, int], task: asyncio.Task[Result]) -> None:
        del self._running[place]
        self._slots.give()
        self.stored.set()
        self._metrics.set("requests_in_flight", self._slots.used)
        if not task.cancelled() and task.exception() is not None:
            self.fail(task.exception())

    async def _run(self, job: Job, fresh: bool) -> Result:
        self._metrics.set("requests_in_flight", self._slots.used)
        asked = job.asked
        logs.about(asked.tenant, asked.request_id, job.record.headers)
        payload = (asked.tenant, asked.request_id, asked.payload_hash)
        answers = StoredLog(self._ledger.answers, payload, since=job.read_at, sure_s=self._ledger.sure_s)
        try:
            if not fresh:
                await patiently(answers.look, "reading answers")
            started = time.monotonic()
            decision = await self._decided(job, answers)
        except DeadLetter as error:
            await patiently(lambda: self._ledger.claims.close(asked), "closing a claim")
            return error
        except Fenced as lost:
            return await patiently(lambda: self._ledger.decisions.first(asked.key), "reading a decision") or lost
        self._metrics.observe("decision_seconds", time.monotonic() - started)
        version = version_of(decision, job.record.value, answers.known)
        kept = await patiently(lambda: self._ledger.decisions.keep(asked, version), "storing a decision")
        if kept is not None:
            self._count(decision)
        return kept

    async def _decided(self, job: Job, answers: StoredLog) -> Decision:
        """Try until there is a decision. Raises DeadLetter and Stop."""
        backoff = Backoff()
        while True:
            try:
                await answers.save()
                return await self._decide(
                    job.request,
                    received_at=job.record.timestamp,
                    log=answers,
                    place=str(job.asked.partition),
                    on_vote=self._streamer(job),
                )
            except (DeadLetter, Stop):
                raise
            except Retry as error:
                log.warning("deciding again", error=str(error))
            except Exception as error:  # noqa: BLE001  (a bug over one record must not take the others down)
                await self._count_failure(job, error)
            await backoff.wait()

    async def _count_failure(self, job: Job, error: Exception) -> None:
        """An unexpected failure counts against the record like a crash; its text may hold content and is not logged."""
        name = type(error).__name__
        where = error.__traceback__
        while where is not None and where.tb_next is not None:
            where = where.tb_next
        line = f"{where.tb_frame.f_code.co_filename}:{where.tb_lineno}" if where else ""
        log.error("deciding failed", error=name, line=line)
        if await patiently(lambda: self._ledger.claims.failed(job.asked), "counting a failure"):
            raise Poison(f"deciding failed repeatedly with {name}")

    def _streamer(self, job: Job) -> Callable[[BallotEntry], None] | None:
        if not job.record.streams:
            return None
        return lambda entry: self._votes.offer(vote_record(self._topics, job.record, job.request, entry))

    def _count(self, decision: Decision) -> None:
        verdict = decision.verdict
        kind = verdict.disagreement.kind
        self._metrics.count("verdicts", status=verdict.status, kind=kind, route=verdict.route)
        log.info("decided", status=verdict.status, kind=kind, route=verdict.route, latency_ms=verdict.latency_ms)


def version_of(decision: Decision, request: bytes | None, answers: Mapping[str, Answer]) -> Version:
    """The bytes that are stored and published, with the request and everything that was paid for."""
    verdict = decision.verdict
    paid = ",".join(f"{json.dumps(call)}:{answer.model_dump_json()}" for call, answer in sorted(answers.items()))
    return Version(
        tenant=verdict.tenant,
        request_id=verdict.request_id,
        version=verdict.version,
        verdict=wire.write(verdict),
        signal=wire.write(decision.signal) if decision.signal else None,
        review=wire.write(decision.review) if decision.review else None,
        outcome=wire.write(decision.outcome) if decision.outcome else None,
        request=request,
        answers=f"{{{paid}}}".encode(),
    )
