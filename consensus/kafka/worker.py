"""The worker: a member of the group that decides requests and applies rulings, one lane for each assigned partition.

    poll ► lanes (claim ► decide ► transaction) ; beside it: marks, votes, waiting records, beats, forgetting, watchdog

Life: `start`, `run` until cancelled or until a person must look, `drain` to a deadline, `stop`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Coroutine, Iterable
from contextlib import AsyncExitStack, suppress
from typing import Any

import structlog
from aiokafka import ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import OffsetOutOfRangeError

from consensus.errors import BrokerUnavailable, Retry, Stop, StoreUnavailable
from consensus.kafka.connect import bounded, group_consumer, instance_id
from consensus.kafka.deciding import Decide, Deciding
from consensus.kafka.elsewhere import Elsewhere
from consensus.kafka.gauges import Gauges
from consensus.kafka.lane import Lane
from consensus.kafka.marks import Marks
from consensus.kafka.messages import incoming
from consensus.kafka.plant import Flow, Plant
from consensus.kafka.publication import Steps
from consensus.kafka.requests import RequestSteps
from consensus.kafka.rulings import RulingSteps
from consensus.kafka.slots import Slots
from consensus.kafka.topic_admin import administration
from consensus.kafka.topics import Topics
from consensus.kafka.upkeep import beat, forget
from consensus.kafka.votes import Votes
from consensus.kafka.watchdog import Watchdog
from consensus.ledger import Ledger
from consensus.metrics import Metrics
from consensus.settings import KafkaSettings, RetentionSettings

POLL_S = 0.5
BUSY_POLL_S = 0.05
"""While some lane wants nothing: it may want something before any record arrives."""

POLL_RECORDS = 200
REVOKE_S = 2.0
"""How long a rebalance waits for the transactions under way, and then for the claims to be given up."""

STOP_S = 5.0
REACH_S = 5.0

NOWHERE = TopicPartition("", 0)
"""Polled when no lane wants anything: the group must see that this member lives."""

log = structlog.get_logger()


class OutsideLog(Stop):
    """A committed offset points outside the log: records were deleted unread, or the log was cut short."""

    def __init__(self, error: OffsetOutOfRangeError) -> None:
        super().__init__(
            f"the committed offset is outside the log ({error}): find out what was lost, then set the group's offset "
            "with kafka-consumer-groups --reset-offsets"
        )


class Worker(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka is untyped
    """``member`` names the process in the group; it must be unique and stay the same over a restart.

    ``kept``: what is forgotten when.
    """

    def __init__(
        self,
        settings: KafkaSettings,
        ledger: Ledger,
        decide: Decide,
        metrics: Metrics,
        *,
        member: str | None = None,
        kept: RetentionSettings | None = None,
    ) -> None:
        self._kept = kept or RetentionSettings()
        self._settings = settings
        self._ledger = ledger
        self._decide = decide
        self._metrics = metrics
        self._member = member or instance_id(settings, "worker")
        self._topics = Topics(settings.prefix)
        self._lanes: dict[TopicPartition, Lane] = {}
        self._turns: dict[int, asyncio.Lock] = {}
        self._background: set[asyncio.Task[None]] = set()
        self._stack = AsyncExitStack()
        self._draining = False
        self._joined = False

    @property
    def ready(self) -> bool:
        """Whether it is in the group, all its lanes are open and it takes records."""
        return (
            self._joined and not self._draining and all(lane.flow is not Flow.OPENING for lane in self._lanes.values())
        )

    @property
    def flows(self) -> dict[TopicPartition, Flow]:
        """The state of each assigned partition."""
        return {source: lane.flow for source, lane in self._lanes.items()}

    async def start(self) -> None:
        """Connect and join the group. Raises BrokerUnavailable within a bound."""
        async with AsyncExitStack() as stack:
            await self._open(stack)
            self._stack = stack.pop_all()

    async def _open(self, stack: AsyncExitStack) -> None:
        settings = self._settings
        admin = await stack.enter_async_context(administration(settings))
        self._consumer = group_consumer(settings, self._member)
        stack.push_async_callback(self._leave)
        stack.push_async_callback(self._give_up, self._lanes)
        self._gauges = Gauges(self._consumer, self._lanes, self._metrics)
        self._slots = Slots(settings.in_flight)
        self._marks = Marks(self._ledger)
        self._votes = Votes(settings)
        self._deciding = Deciding(
            self._decide, self._ledger, self._slots, self._topics, votes=self._votes, metrics=self._metrics
        )
        self._elsewhere = Elsewhere(self._ledger, self._deciding.stored)
        limit = settings.max_record_bytes
        self._steps: dict[str, Steps] = {
            self._topics.requests: RequestSteps(
                self._topics, self._ledger, self._slots, self._deciding, self._elsewhere, max_record_bytes=limit
            ),
            self._topics.rulings: RulingSteps(self._topics, self._ledger, self._partitions, max_record_bytes=limit),
        }
        self._plant = Plant(settings, self._consumer, admin, self._ledger, self._marks, self._metrics, self._spawn)
        self._consumer.subscribe(list(self._steps), listener=self)
        joining_s = (settings.rebalance_timeout_ms + settings.session_timeout_ms + settings.request_timeout_ms) / 1000
        await bounded(self._consumer.start(), joining_s, "joining the group")

    async def run(self) -> None:
        """Work until cancelled. Raises Stop when a person must act, and whatever else ends one of its tasks."""
        watchdog = Watchdog(self._consumer, self._gauges.moving, self._reachable)
        works = (
            self._poll(),
            self._marks.run(),
            self._votes.run(),
            self._elsewhere.run(),
            beat(self._ledger, self._deciding, self._ours),
            forget(self._ledger, self._settings.claim_days, self._kept),
            watchdog.run(),
        )
        tasks = [asyncio.create_task(work) for work in works]
        try:
            ended, _ = await asyncio.wait([*tasks, self._deciding.stopped], return_when=asyncio.FIRST_COMPLETED)
            for task in ended:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)

    async def drain(self) -> None:
        """Take nothing more, finish and commit what was taken, at most for ``drain_seconds``; then give the rest up.

        `run` must go on meanwhile.
        """
        self._draining = True
        draining = [asyncio.create_task(lane.drain()) for lane in self._lanes.values()]
        if draining:
            _, late = await asyncio.wait(draining, timeout=self._settings.drain_seconds)
            for task in late:
                task.cancel()
        await self._give_up(self._lanes)
        await self._deciding.abandon()
        with suppress(StoreUnavailable):
            await self._marks.flush()
            await self._ledger.claims.release()

    async def stop(self) -> None:
        """Leave the group and close everything, each step within a bound."""
        await self._stack.aclose()
        if self._background:
            await asyncio.wait(self._background, timeout=STOP_S)

    async def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:
        """Every rebalance takes everything away first: end the lanes, promise to finish what is being decided."""
        lanes = {source: self._lanes.pop(source) for source in revoked if source in self._lanes}
        self._gauges.gone(lanes)
        await self._give_up(lanes)
        if lanes and not self._draining:
            await self._promise({source.partition for source in lanes if source.topic == self._topics.requests})

    def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        """Start a lane for each partition; what is fetched before its lane has sought is dropped."""
        self._consumer.pause(*assigned)
        self._joined = True
        for source in assigned if not self._draining else ():
            turn = self._turns.setdefault(source.partition, asyncio.Lock())
            lane = Lane(source, self._plant, self._steps[source.topic], turn)
            lane.task.add_done_callback(self._lane_ended)
            self._lanes[source] = lane
        log.info("partitions assigned", count=len(assigned))

    async def _give_up(self, lanes: dict[TopicPartition, Lane]) -> None:
        closing = [asyncio.create_task(lane.close()) for lane in lanes.values()]
        if closing:
            _, late = await asyncio.wait(closing, timeout=REVOKE_S)
            for task in (*late, *(lane.task for lane in lanes.values())):
                task.cancel()

    async def _promise(self, partitions: set[int]) -> None:
        """Whoever gets these partitions waits for the decisions that run on here, as long as our beat goes on."""
        with suppress(StoreUnavailable, TimeoutError):
            async with asyncio.timeout(REVOKE_S):
                await self._ledger.claims.release(partitions, finishing=self._deciding.keys(partitions))

    def _lane_ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and task.exception() is not None:
            self._deciding.fail(task.exception())

    async def _poll(self) -> None:
        while True:
            if self._draining:
                await asyncio.sleep(POLL_S)
                continue
            wanted = [lane.source for lane in self._lanes.values() if lane.wants]
            pause_s = POLL_S if len(wanted) == len(self._lanes) else BUSY_POLL_S
            batches = await self._fetched(wanted or [NOWHERE], pause_s)
            for source, records in batches.items():
                if source in self._lanes:
                    self._lanes[source].offer([incoming(record) for record in records])
            self._gauges.measure()

    async def _fetched(self, wanted: Iterable[TopicPartition], pause_s: float) -> dict[TopicPartition, list[Any]]:
        call = self._consumer.getmany(*wanted, timeout_ms=int(pause_s * 1000), max_records=POLL_RECORDS)
        bound_s = (self._settings.rebalance_timeout_ms + self._settings.session_timeout_ms) / 1000
        try:
            found: dict[TopicPartition, list[Any]] = await bounded(call, bound_s, "polling")
        except Retry as error:
            if isinstance(error.__cause__, OffsetOutOfRangeError):
                raise OutsideLog(error.__cause__) from None
            log.warning("poll failed", error=str(error))
            await asyncio.sleep(BUSY_POLL_S)
            return {}
        return found

    def _ours(self) -> set[int]:
        """Partitions of the requests topic that are assigned to us."""
        return {source.partition for source in self._lanes if source.topic == self._topics.requests}

    async def _reachable(self) -> bool:
        """Whether a fresh client gets an answer from the broker."""
        try:
            async with asyncio.timeout(REACH_S), administration(self._settings) as admin:
                await admin.describe_cluster()
        except (BrokerUnavailable, TimeoutError, OSError):
            return False
        return True

    def _partitions(self) -> int:
        return len(self._consumer.partitions_for_topic(self._topics.rulings) or ())

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def _leave(self) -> None:
        with suppress(BrokerUnavailable):
            await bounded(self._consumer.stop(), STOP_S, "leaving the group")
