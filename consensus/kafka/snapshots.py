"""The snapshots topic: how a refit reaches every worker, and how a worker keeps the newest snapshot that it can use."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection

import structlog
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from calibration.campaign import CERTIFIED
from calibration.classes import PREFIX as CLASS
from calibration.snapshot import Snapshot, SnapshotInvalid
from consensus.errors import BrokerUnavailable, SnapshotRefused
from consensus.kafka.classes import Classes
from consensus.kafka.closing import close
from consensus.kafka.connect import bounded, client_options
from consensus.kafka.intake import fault_of
from consensus.kafka.messages import Outgoing
from consensus.kafka.partitions import partitions_of
from consensus.kafka.topics import Topics
from consensus.kafka.watchdog import dead_tasks
from consensus.metrics import Metrics
from consensus.settings import KafkaSettings

NAME = "default"
"""Name of the snapshot that decides."""

CALL_S = 30.0
POLL_S = 0.5
MAX_SNAPSHOT_BYTES = 16 * 1024 * 1024

logger = structlog.get_logger(__name__)


def readable(value: bytes, models: Collection[str] | None) -> Snapshot:
    """The snapshot in a record. Raises SnapshotRefused: damaged, of another format, of models that are not ours, or
    with a certificate that was issued for another fit.

    ``models``: the configured names; ``None``: any.
    """
    try:
        snapshot = Snapshot.from_json(value)
    except SnapshotInvalid as error:
        raise SnapshotRefused(str(error)) from error
    fault = fault_of(snapshot, models)
    if fault is not None:
        raise SnapshotRefused(fault)
    return snapshot


class Publisher:
    """Publishes snapshots under their name, and records beside them: the compacted topic keeps the newest of each key.

    Life: `start`, `stop`.
    """

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._topic = Topics(settings.prefix).snapshots
        self._producer: AIOKafkaProducer | None = None

    async def start(self) -> None:
        """Connect. Raises BrokerUnavailable."""
        self._producer = AIOKafkaProducer(
            acks="all", max_request_size=MAX_SNAPSHOT_BYTES, compression_type="gzip", **client_options(self._settings)
        )
        await bounded(self._producer.start(), CALL_S, "connecting the publisher")

    async def publish(self, snapshot: Snapshot) -> None:
        """Returns once the broker has it. Publishing an older version again is a rollback. Raises BrokerUnavailable."""
        await self.record(snapshot.name, snapshot.to_json())

    async def record(self, key: str, value: bytes) -> None:
        """Put a record on the snapshots topic; returns once the broker has it. Raises BrokerUnavailable."""
        await self.send(Outgoing(self._topic, None, key.encode(), value))

    async def send(self, record: Outgoing) -> None:
        """Put a record on any topic; returns once the broker has it. Raises BrokerUnavailable."""
        if self._producer is None:
            raise BrokerUnavailable("the publisher has not been started")
        sending = self._producer.send_and_wait(
            record.topic, record.value, key=record.key, partition=record.partition, headers=list(record.headers)
        )
        await bounded(sending, CALL_S, f"producing to {record.topic}")

    async def stop(self) -> None:
        """Disconnect, within a bound."""
        if self._producer is not None:
            await close(self._producer)


class Follower:
    """Keeps the newest usable snapshot of one name, those of certified classes, and which classes are stopped.

    `start` returns when the topic has been read; then `run`, `stop`. ``models``: configured names, as in `readable`. A
    snapshot that is refused leaves the one in use, and ``on_refused`` hears why; ``on_used`` hears of every new one of
    the name; a record without a value takes the snapshot away.
    """

    def __init__(
        self,
        settings: KafkaSettings,
        metrics: Metrics,
        *,
        models: Collection[str] | None = None,
        name: str = NAME,
        on_refused: Callable[[str], None] | None = None,
        on_used: Callable[[Snapshot], None] | None = None,
    ) -> None:
        self._settings = settings
        self._topic = Topics(settings.prefix).snapshots
        self._metrics = metrics
        self._models = models
        self._key = name
        self._on_refused = on_refused
        self._on_used = on_used
        self._consumer: AIOKafkaConsumer
        self._current: Snapshot | None = None
        self._certified: dict[str, Snapshot] = {}
        self._classes = Classes()

    @property
    def current(self) -> Snapshot | None:
        """The newest snapshot, which decides for every class without a certificate; read it once per request."""
        return self._current

    def snapshot_of(self, cls: str) -> Snapshot | None:
        """The snapshot that decides for a class: its certified one as long as that certificate is not revoked."""
        found = self._certified.get(cls)
        if found is None or self._classes.revoked(cls, found.certificate(cls)):
            return self._current
        return found

    def stopped(self, cls: str) -> str | None:
        """The reason code why a class accepts nothing, ``None`` while it may."""
        found = self._certified.get(cls)
        return self._classes.stopped(cls, None if found is None else found.certificate(cls))

    async def start(self) -> None:
        """Connect and read the topic from its beginning to its present end. Raises BrokerUnavailable."""
        self._consumer = AIOKafkaConsumer(
            isolation_level="read_committed",
            enable_auto_commit=False,
            max_partition_fetch_bytes=MAX_SNAPSHOT_BYTES,
            **client_options(self._settings),
        )
        try:
            await bounded(self._consumer.start(), CALL_S, "connecting to follow snapshots")
            await bounded(self._catch_up(), CALL_S, "reading the snapshots topic")
        except BrokerUnavailable:
            await self.stop()
            raise

    async def run(self) -> None:
        """Follow the topic until cancelled. Raises BrokerUnavailable when the client can no longer follow."""
        while True:
            await self._poll()
            if dead := dead_tasks(self._consumer):
                raise BrokerUnavailable(f"the Kafka client has stopped {' and '.join(dead)}: snapshots would be missed")

    async def stop(self) -> None:
        """Disconnect, within a bound."""
        await close(self._consumer)

    async def _catch_up(self) -> None:
        partitions = await partitions_of(self._consumer, self._topic)
        self._consumer.assign(partitions)
        ends = await self._consumer.end_offsets(partitions)
        first = await self._consumer.beginning_offsets(partitions)
        for partition in partitions:
            self._consumer.seek(partition, first[partition])
        while any([await self._consumer.position(partition) < ends[partition] for partition in partitions]):
            await self._poll()

    async def _poll(self) -> None:
        polled = self._consumer.getmany(timeout_ms=int(POLL_S * 1000))
        got = await bounded(polled, CALL_S, "following snapshots")
        for records in got.values():
            for record in records:
                await self._take(record.key, record.value)

    async def _take(self, key: bytes | None, value: bytes | None) -> None:
        name = (key or b"").decode("utf-8", "replace")
        if name.startswith(CLASS):
            self._classes.take(name, value)
        elif name == self._key or name.startswith(CERTIFIED):
            await self._take_snapshot(name, value)

    async def _take_snapshot(self, name: str, value: bytes | None) -> None:
        if value is None:
            self._use(name, None)
            logger.warning("snapshot_taken_away", name=name)
            return
        try:
            snapshot = await asyncio.to_thread(readable, value, self._models)  # megabytes of JSON
        except SnapshotRefused as error:
            self._refuse(str(error))
            return
        self._use(name, snapshot)
        logger.info("snapshot_in_use", name=name, version=snapshot.version, labels=snapshot.labels)

    def _use(self, name: str, snapshot: Snapshot | None) -> None:
        if name == self._key:
            self._current = snapshot
            self._metrics.set("snapshot_labels", 0 if snapshot is None else snapshot.labels)
            if snapshot is not None and self._on_used is not None:
                self._on_used(snapshot)
            return
        cls = name.removeprefix(CERTIFIED)
        if snapshot is None:
            self._certified.pop(cls, None)
        else:
            self._certified[cls] = snapshot
        self._metrics.set("certified_classes", len(self._certified))

    def _refuse(self, reason: str) -> None:
        self._metrics.count("snapshots_refused")
        in_use = self._current.version if self._current else None
        logger.error("snapshot_refused", reason=reason, in_use=in_use)
        if self._on_refused is not None:
            self._on_refused(reason)
