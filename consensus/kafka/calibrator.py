"""The calibrator: verdicts, signals and outcomes into the store, refits out to every worker."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection
from contextlib import AsyncExitStack
from datetime import UTC, datetime

import structlog
from aiokafka import AIOKafkaConsumer
from sqlalchemy.ext.asyncio import AsyncEngine

from calibration.store.offsets import Place
from consensus.errors import StoreUnavailable
from consensus.kafka.campaigns import Campaigns
from consensus.kafka.connect import client_options, instance_id, membership
from consensus.kafka.feed import Delivery, Feed
from consensus.kafka.ingest import Ingest, Mark, Moved
from consensus.kafka.refits import Refits
from consensus.kafka.snapshots import Publisher
from consensus.kafka.topics import Topics
from consensus.kafka.watch import Watch
from consensus.ledger.tasks import Tasks
from consensus.ledger.transactions import Transactions
from consensus.metrics import Metrics
from consensus.settings import AuditSettings, DriftSettings, KafkaSettings, ReviewSettings

BATCH = 2_000
"""Records in one store transaction at most."""

BACKOFF_S = (0.1, 5.0)
"""First and longest pause while the store does not answer."""

READ_S = 300.0
"""Bound of reading every label for a refit, which runs beside ingestion."""

LOOK_S = 30.0
"""Bound of each read for campaigns and certificates, which ingestion waits for."""

MAX_POLL_INTERVAL_MS = 600_000

logger = structlog.get_logger(__name__)


class Calibrator:
    """One member of the calibrators' group. Life: `start`, `run` until cancelled or failed, `stop`.

    ``timeout_s`` bounds each transaction on the store. ``mark`` marks published versions as committed in the ledger,
    which a worker that died after its transaction could not. ``models``: the configured names, the only ones that
    snapshots speak of. ``review`` and ``audit``: when tasks of campaigns are due, and when a label is missing.
    """

    def __init__(
        self,
        kafka: KafkaSettings,
        drift: DriftSettings,
        engine: AsyncEngine,
        metrics: Metrics,
        *,
        timeout_s: float,
        mark: Mark,
        models: Collection[str] | None = None,
        review: ReviewSettings | None = None,
        audit: AuditSettings | None = None,
    ) -> None:
        self._topics = Topics(kafka.prefix)
        self._kafka = kafka
        self._metrics = metrics
        self._publisher = Publisher(kafka)
        transactions, reading = Transactions(engine, timeout_s), Transactions(engine, READ_S)
        self._ingest = Ingest(transactions, self._topics, mark, models)
        self._refits = Refits(
            transactions, reading, drift, self._publisher.publish, metrics, clock=time.monotonic, models=models
        )
        looking = Transactions(engine, LOOK_S)
        self._campaigns = Campaigns(
            looking,
            Tasks(transactions),
            self._publisher,
            self._topics,
            review or ReviewSettings(),
            metrics,
            clock=time.monotonic,
            now=_utc_now,
        )
        horizon_hours = (audit or AuditSettings()).horizon_hours
        record = self._publisher.record
        self._watch = Watch(transactions, looking, record, horizon_hours, clock=time.monotonic, now=_utc_now)
        self._feed: Feed
        self._stack = AsyncExitStack()
        self._pause_s = BACKOFF_S[0]

    async def start(self) -> None:
        """Connect and join the group. Raises BrokerUnavailable."""
        async with AsyncExitStack() as stack:
            await self._publisher.start()
            stack.push_async_callback(self._publisher.stop)
            self._feed = Feed(self._consumer(), self._read_topics(), most=BATCH)
            stack.push_async_callback(self._feed.stop)
            await self._feed.start()
            stack.push_async_callback(self._refits.stop)
            self._stack = stack.pop_all()

    async def run(self) -> None:
        """Ingest and refit until cancelled. Raises BrokerUnavailable and LogCutShort; waits while the store is away."""
        while True:
            self._feed.check()
            try:
                await self._step()
                self._pause_s = BACKOFF_S[0]
            except Moved:
                self._feed.reset()
            except StoreUnavailable as error:
                await self._wait_for_store(error)

    async def stop(self) -> None:
        """Leave the group and close, within a bound. A refit in progress is abandoned."""
        await self._stack.aclose()

    async def _step(self) -> None:
        most = self._feed.width
        if self._feed.stale:
            await self._feed.load(await self._ingest.offsets())
        delivery = await self._feed.next()
        if delivery.records:
            await self._store(delivery)
        self._report_lag()
        if len(delivery.records) < most and self._leads():
            await self._follow_up(news=bool(delivery.records))

    async def _follow_up(self, *, news: bool) -> None:
        """What is derived from all that was ingested, once the end of the topics is reached."""
        await self._refits.consider(news=news)
        await self._campaigns.consider(news=news)
        await self._watch.consider(news=news)

    async def _store(self, delivery: Delivery) -> None:
        await self._ingest.store(delivery.records, delivery.begin)
        self._feed.ingested(delivery)
        for record in delivery.records:
            self._metrics.count("ingested", topic=record.topic)

    def _report_lag(self) -> None:
        for (topic, partition), records in self._feed.lag().items():
            self._metrics.set("lag_records", records, topic=topic, partition=str(partition))

    async def _wait_for_store(self, error: StoreUnavailable) -> None:
        """Nothing is polled meanwhile: the pause is far below the interval after which the group would evict us."""
        self._feed.reset()
        logger.warning("store_unavailable", reason=str(error), pause_s=self._pause_s)
        await asyncio.sleep(self._pause_s)
        self._pause_s = min(2 * self._pause_s, BACKOFF_S[1])

    def _leads(self) -> bool:
        """One member of the group refits and leads campaigns: the one with the first partition of the outcomes."""
        first: Place = (self._topics.outcomes, 0)
        return first in self._feed.assigned

    def _read_topics(self) -> list[str]:
        return [self._topics.verdicts, self._topics.signals, self._topics.outcomes, self._topics.snapshots]

    def _consumer(self) -> AIOKafkaConsumer:
        return AIOKafkaConsumer(
            group_id=f"{self._kafka.prefix}-calibrator",
            group_instance_id=instance_id(self._kafka, "calibrator"),
            isolation_level="read_committed",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            max_poll_interval_ms=MAX_POLL_INTERVAL_MS,
            **membership(self._kafka),
            **client_options(self._kafka),
        )


def _utc_now() -> datetime:
    return datetime.now(UTC)
