"""Records for the calibration store, from where the store stands: a consumer group without offsets in Kafka.

The group only shares out the partitions. On every assignment the offsets are read from the store and sought; what the
client delivered before is dropped.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import IllegalStateError

from calibration.store.offsets import Place
from consensus.errors import BrokerUnavailable, Stop
from consensus.kafka.closing import close
from consensus.kafka.connect import bounded
from consensus.kafka.intake import Record
from consensus.kafka.watchdog import dead_tasks

CALL_S = 30.0
"""Bound of one call to the broker; the client has none of its own while the broker is away."""

POLL_S = 0.5

POLL_BOUND_S = 90.0
"""Bound of one poll, which waits through a rebalance whatever its timeout says."""

logger = structlog.get_logger(__name__)


class LogCutShort(Stop):
    """A topic ends before what was already ingested from it."""


@dataclass(frozen=True)
class Delivery:
    """Records of some partitions, ascending in each, and where the store must stand for them to follow."""

    records: Sequence[Record]
    begin: Mapping[Place, int | None]


class Feed(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka is untyped
    """Delivers each record of the assigned partitions once, as long as `ingested` or `reset` follows each delivery."""

    def __init__(self, consumer: AIOKafkaConsumer, topics: Sequence[str], *, most: int) -> None:
        self._consumer = consumer
        self._topics = tuple(topics)
        self._most = most
        self._width = most
        self._next: dict[Place, int | None] = {}
        self._stale = True

    @property
    def stale(self) -> bool:
        """Whether `load` must come before the next delivery: after an assignment and after `reset`."""
        return self._stale

    @property
    def width(self) -> int:
        """Records in the next delivery at most; a delivery of fewer has reached the end of the topics."""
        return self._width

    @property
    def assigned(self) -> frozenset[Place]:
        """The partitions that this process reads."""
        return frozenset((tp.topic, tp.partition) for tp in self._consumer.assignment())

    async def start(self) -> None:
        """Connect and join the group. Raises BrokerUnavailable."""
        await bounded(self._consumer.start(), CALL_S, "joining the calibrators")
        self._consumer.subscribe(self._topics, listener=self)

    async def stop(self) -> None:
        """Leave, within a bound: a client that hangs dies with the process."""
        await close(self._consumer)

    # A listener may only set flags: no heartbeat is sent while it runs, and what it raises ends the client silently.
    async def on_partitions_revoked(self, revoked: object) -> None:
        self._stale = True

    async def on_partitions_assigned(self, assigned: object) -> None:
        self._stale = True

    def reset(self) -> None:
        """Forget what was delivered and not ingested: it will be delivered again after `load`, in smaller portions.

        A store that is slow may take half of what it could not take in time.
        """
        self._stale = True
        self._width = max(1, self._width // 2)

    async def load(self, stored: Mapping[Place, int]) -> None:
        """Stand where the store stands. Raises LogCutShort, BrokerUnavailable."""
        self._stale = False
        assignment = sorted(self._consumer.assignment())
        if not assignment:
            return
        first = await bounded(self._consumer.beginning_offsets(assignment), CALL_S, "reading where the topics begin")
        end = await bounded(self._consumer.end_offsets(assignment), CALL_S, "reading where the topics end")
        self._next = {}
        for tp in assignment:
            place = (tp.topic, tp.partition)
            self._next[place] = stored.get(place)
            self._seek(tp, _position(place, stored.get(place), first[tp], end[tp]))

    def _seek(self, tp: TopicPartition, offset: int) -> None:
        try:
            self._consumer.seek(tp, offset)
        except IllegalStateError:  # taken away in the meantime
            self._stale = True

    async def next(self) -> Delivery:
        """What has arrived, after at most `POLL_S`; possibly nothing. Raises BrokerUnavailable."""
        polled = self._consumer.getmany(timeout_ms=int(POLL_S * 1000), max_records=self._width)
        got = await bounded(polled, POLL_BOUND_S, "polling")
        if self._stale:
            return Delivery((), {})
        records = [_record(one) for many in got.values() for one in many]
        fresh = [record for record in records if record.offset >= self._expected(record)]
        return Delivery(fresh, {(record.topic, record.partition): self._at(record) for record in fresh})

    def ingested(self, delivery: Delivery) -> None:
        """The delivery is in the store; the next one may be larger again."""
        self._width = min(self._most, 2 * self._width)
        self._next.update({(record.topic, record.partition): record.offset + 1 for record in delivery.records})

    def lag(self) -> dict[Place, int]:
        """Records behind the end of each partition, as far as the client has heard of the end."""
        ends = {place: self._consumer.highwater(TopicPartition(*place)) for place in self._next}
        return {place: max(0, end - (self._next[place] or 0)) for place, end in ends.items() if end is not None}

    def check(self) -> None:
        """Raise BrokerUnavailable when one of the client's own tasks has died: it would deliver nothing for ever."""
        if dead := dead_tasks(self._consumer):
            raise BrokerUnavailable(f"the Kafka client has stopped {' and '.join(dead)}")

    def _at(self, record: Record) -> int | None:
        return self._next.get((record.topic, record.partition))

    def _expected(self, record: Record) -> int:
        return self._at(record) or 0


def _position(place: Place, stored: int | None, first: int, end: int) -> int:
    if stored is None:
        return first
    if stored > end:
        topic, partition = place
        raise LogCutShort(
            f"{topic}/{partition} ends at {end}, but was ingested up to {stored}: the topic was made anew or has lost "
            "records. Restore it, or point this program to an empty store"
        )
    if stored < first:
        logger.error("records_expired_before_ingestion", topic=place[0], partition=place[1], lost=first - stored)
    return max(stored, first)


def _record(record: object) -> Record:
    fields = ("topic", "partition", "offset", "key", "value", "timestamp")
    return Record(*(getattr(record, name) for name in fields))
