"""One transactional producer with a bound on every call: short transactions of records and one committed position.

One task owns it. After any error it is thrown away and another one is made under the same id: the client library's
abort does not reach the broker after an error, and initialising the id again does what an abort should.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError, MessageSizeTooLargeError
from aiokafka.structs import OffsetAndMetadata

from consensus.errors import BrokerUnavailable, Fenced
from consensus.kafka.connect import bounded, transactional_producer
from consensus.kafka.messages import Outgoing
from consensus.kafka.offsets import Position
from consensus.settings import KafkaSettings

DISCARD_S = 1.0


class TooLarge(BrokerUnavailable):
    """The broker or the client refuses a record of the transaction for its size."""


class Transactions:
    """Transactions under one id, ``seconds`` at most for each call to the broker."""

    def __init__(self, settings: KafkaSettings, source: TopicPartition, *, seconds: float) -> None:
        self._settings = settings
        self._source = source
        self._seconds = seconds
        self._producer: AIOKafkaProducer | None = None

    @property
    def transactional_id(self) -> str:
        """Names the input partition, so that whoever owns it next fences whoever owned it before."""
        return f"{self._settings.group}-{self._source.topic}-{self._source.partition}"

    async def open(self) -> None:
        """Initialise the id: fences other holders, ends their open transaction. Raises BrokerUnavailable."""
        await self.discard()
        self._producer = transactional_producer(self._settings, self.transactional_id)
        await bounded(self._producer.start(), self._seconds, f"initialising {self.transactional_id}")

    async def publish(self, records: Sequence[Outgoing], position: Position) -> None:
        """Produce the records and commit the position, together or not at all.

        Raises TooLarge, Fenced or BrokerUnavailable; after any of them only `open` may follow, and whether the
        transaction was committed is then found in the committed position alone.
        """
        producer = self._producer
        if producer is None:
            raise BrokerUnavailable(f"{self.transactional_id} is not open")
        try:
            await self._transact(producer, records, position)
        except AssertionError as error:
            await _abort(producer)
            raise BrokerUnavailable(f"the producer {self.transactional_id} is broken") from error
        except (BrokerUnavailable, Fenced):
            await _abort(producer)
            raise

    async def _transact(self, producer: AIOKafkaProducer, records: Sequence[Outgoing], position: Position) -> None:
        await bounded(producer.begin_transaction(), self._seconds, "beginning a transaction")
        await bounded(self._send(producer, records), self._seconds, "producing")
        offsets = {self._source: OffsetAndMetadata(position.offset, position.metadata)}
        call = producer.send_offsets_to_transaction(offsets, self._settings.group)
        await bounded(call, self._seconds, "adding offsets to a transaction")
        await bounded(producer.commit_transaction(), self._seconds, "committing a transaction")

    async def _send(self, producer: AIOKafkaProducer, records: Sequence[Outgoing]) -> None:
        """Every delivery is awaited before the commit: one that failed unseen would not stop it."""
        deliveries = (_deliver(producer, record) for record in records)
        for result in await asyncio.gather(*deliveries, return_exceptions=True):
            if isinstance(result, MessageSizeTooLargeError):
                raise TooLarge("a record is larger than the broker takes") from result
            if isinstance(result, BaseException):
                raise result

    async def discard(self) -> None:
        """Throw the producer away: never waits longer than a second, whatever state it is in."""
        producer, self._producer = self._producer, None
        if producer is not None:
            await discard(producer)


async def _deliver(producer: AIOKafkaProducer, record: Outgoing) -> None:
    await producer.send_and_wait(
        record.topic, value=record.value, key=record.key, partition=record.partition, headers=list(record.headers)
    )


async def _abort(producer: AIOKafkaProducer) -> None:
    """Try to let readers go on at once. Where the client is past that, the next initialisation of the id does it."""
    with suppress(TimeoutError, KafkaError, OSError, AssertionError):
        async with asyncio.timeout(DISCARD_S):
            await producer.abort_transaction()


async def discard(producer: AIOKafkaProducer) -> None:
    """Stop a producer within a second; else cancel its task and close its sockets."""
    with suppress(TimeoutError, KafkaError, OSError, AssertionError):
        async with asyncio.timeout(DISCARD_S):
            await producer.stop()
            return
    sender = producer._sender.sender_task
    if sender is not None:
        sender.cancel()
    with suppress(TimeoutError, KafkaError, OSError):
        async with asyncio.timeout(DISCARD_S):
            await producer.client.close()
