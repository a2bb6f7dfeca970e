"""Follows verdicts, dead letters and votes from their ends for as long as the gateway lives, and hands them to waiters.

The tail belongs to no consumer group: every gateway reads all partitions, keeps its positions in memory, and goes on
where it was when the broker has been away. It stands at the ends before the first request is produced, so nothing that
answers a later request can be missed; read_committed shows a verdict only once its transaction is in the log.
"""

from __future__ import annotations

import asyncio

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRecord
from aiokafka.errors import KafkaError

from consensus.errors import BrokerUnavailable, Conflict, DeadLetter, Malformed, Poison
from consensus.kafka.partitions import partitions_of
from consensus.kafka.topics import Topics
from consensus.kafka.waiting import Waiting

CALL_HEADER = "x-call"
"""Names the gateway's own record: everything that follows from a request echoes its ``x-*`` headers."""
POLL_S = 0.5
POLL_BOUND_S = 30.0

log = structlog.get_logger()


class Tail:
    """One consumer over all partitions of the topics that answer requests: `start`, `run` until cancelled, `stop`."""

    def __init__(self, consumer: AIOKafkaConsumer, topics: Topics, waiting: Waiting) -> None:
        self._consumer = consumer
        self._topics = topics
        self._waiting = waiting

    async def start(self) -> int:
        """Stand at the end of every partition; returns the number of partitions of the verdicts topic.

        Raises BrokerUnavailable when a topic does not exist or its end cannot be read.
        """
        await self._consumer.start()
        names = (self._topics.verdicts, self._topics.dead_letters, self._topics.votes)
        partitions = [partition for name in names for partition in await partitions_of(self._consumer, name)]
        self._consumer.assign(partitions)
        if not await self._consumer.seek_to_end(*partitions):
            raise BrokerUnavailable("the ends of the topics could not be read")
        return sum(partition.topic == self._topics.verdicts for partition in partitions)

    async def run(self) -> None:
        """Hand on records until cancelled. Whatever ends it otherwise is raised here and ends every wait."""
        try:
            while True:
                async with asyncio.timeout(POLL_BOUND_S):
                    batches = await self._consumer.getmany(timeout_ms=int(POLL_S * 1000))
                self._check_fetcher()
                for records in batches.values():
                    for record in records:
                        self._hand_on(record)
        except (KafkaError, TimeoutError) as error:
            raise self._fail(f"the tail of the verdicts ended: {type(error).__name__}") from error
        except BrokerUnavailable as error:
            raise self._fail(str(error)) from error

    def _fail(self, reason: str) -> BrokerUnavailable:
        failure = BrokerUnavailable(reason)
        self._waiting.fail(failure)
        return failure

    def _check_fetcher(self) -> None:
        # Once the client's fetching task has died, getmany returns nothing for ever, without an error.
        if self._consumer._fetcher.error_future.done():
            raise BrokerUnavailable("the consumer's fetching task has died")

    def _hand_on(self, record: ConsumerRecord[bytes, bytes]) -> None:
        headers = {name: value.decode("utf-8", "replace") for name, value in record.headers}
        call_id = headers.get(CALL_HEADER)
        if record.topic == self._topics.dead_letters:
            self._waiting.dead_letter(call_id, error_of(headers))
        elif record.value is not None and record.topic == self._topics.votes:
            self._waiting.vote(call_id, record.value)
        elif record.value is not None and record.key is not None:
            self._waiting.verdict(call_id, record.key.decode("utf-8", "replace"), record.value)

    async def stop(self) -> None:
        """Close the consumer. The caller bounds it."""
        await self._consumer.stop()


def error_of(headers: dict[str, str]) -> DeadLetter:
    """The error that a dead letter's headers tell of."""
    code = headers.get("error-code", "invalid")
    reason = headers.get("error-reason", "the request became a dead letter")
    if code == Conflict.code:
        return Conflict(reason)
    return Poison(reason) if code == Poison.code else Malformed(reason, code=code)
