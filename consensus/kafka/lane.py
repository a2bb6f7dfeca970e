"""One assigned input partition: opened, worked, opened again after whatever goes wrong, until it is given up.

    new producer (fences the last owner) ► committed position ► seek ► shift: take, work, commit ► …

The task that runs the lane owns its producer. After a failure the producer is thrown away and the lane opens again:
what it believed is replaced by what is committed, and records that come again find their claims, their answers and
their decisions in the ledger.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import structlog
from aiokafka import TopicPartition

from consensus.errors import Fenced, Retry
from consensus.kafka.committed import committed
from consensus.kafka.dead_letters import Gate
from consensus.kafka.messages import Incoming
from consensus.kafka.offsets import Tracker
from consensus.kafka.plant import Flow, Plant
from consensus.kafka.producer import Transactions
from consensus.kafka.publication import Steps
from consensus.kafka.shift import Caution, Shift
from consensus.patience import Backoff

log = structlog.get_logger()


class Lane:
    """Runs from its making until `close`; ``task`` ends early only with an error that a person must look at."""

    def __init__(self, source: TopicPartition, plant: Plant, steps: Steps, turn: asyncio.Lock) -> None:
        self.source = source
        self.openings = 0
        self._plant = plant
        self._steps = steps
        self._turn = turn
        self._producer = Transactions(plant.settings, source, seconds=plant.call_s)
        self._gate = Gate(plant.ledger.gates, plant.settings, source.topic, source.partition)
        self._caution = Caution()
        self._shift: Shift | None = None
        self._closing = False
        self._draining = False
        self.task = asyncio.create_task(self._run(), name=f"lane-{source.topic}-{source.partition}")

    @property
    def flow(self) -> Flow:
        """Why it takes records or does not."""
        if self._closing:
            return Flow.CLOSED
        return Flow.OPENING if self._shift is None else self._shift.flow

    @property
    def wants(self) -> bool:
        """Whether records should be fetched for it."""
        return self._shift is not None and not (self._closing or self._draining) and self._shift.wants

    @property
    def idle(self) -> bool:
        """Whether nothing that it has taken is unfinished or uncommitted."""
        return self._shift is None or self._shift.idle

    @property
    def lowest(self) -> int | None:
        """The lowest offset that is not done, while the lane is open."""
        return None if self._shift is None else self._shift.tracker.lowest

    def offer(self, records: Sequence[Incoming]) -> None:
        """Records as they were fetched, in order; dropped unless the lane is open, since it will seek."""
        if self._shift is not None:
            self._shift.offer(records)

    async def drain(self) -> None:
        """Take nothing more; return once what was taken is finished and committed. The caller bounds the wait."""
        self._draining = True
        if self._shift is not None:
            await self._shift.drain()

    async def close(self) -> None:
        """End the lane: at once, or after the transaction that is under way. The caller bounds the wait."""
        self._closing = True
        if self._shift is not None and self._shift.in_transaction:
            self._shift.end()
        else:
            self.task.cancel()
        await asyncio.wait([self.task])

    async def _run(self) -> None:
        backoff = Backoff()
        try:
            while not (self._closing or self._draining):
                try:
                    shift = await self._open()
                    backoff.reset()
                    self._shift = shift
                    await shift.run()
                except Fenced as error:
                    # If the group still gives us the partition after a session, whoever fenced us has it no longer.
                    self._shift = None
                    log.warning("lane was fenced", lane=self.task.get_name(), error=str(error))
                    await asyncio.sleep(self._plant.settings.session_timeout_ms / 1000)
                except Retry as error:
                    self._shift = None
                    log.warning("lane opens again", lane=self.task.get_name(), error=str(error))
                    await backoff.wait()
        finally:
            self._shift = None
            self._plant.spawn(self._producer.discard())

    async def _open(self) -> Shift:
        """Fence whoever had the partition, read what is committed, and go there."""
        plant = self._plant
        async with plant.opening:
            await self._producer.open()
            position = await committed(plant.admin, plant.settings.group, self.source, seconds=plant.call_s)
            await self._gate.load()
        if self.source not in plant.consumer.assignment():
            raise Fenced("the partition is not assigned to us any more")
        tracker = Tracker(position, most=plant.settings.incomplete_per_partition)
        plant.consumer.seek(self.source, position.offset)
        plant.consumer.resume(self.source)
        self.openings += 1
        log.info("lane open", lane=self.task.get_name(), offset=position.offset, partly_done=bool(position.metadata))
        return Shift(
            self.source,
            plant,
            self._steps,
            tracker=tracker,
            producer=self._producer,
            gate=self._gate,
            turn=self._turn,
            caution=self._caution,
        )
