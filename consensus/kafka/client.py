"""The gateway's side of Kafka: produce a request, await its verdict.

A call is answered by what its *own* record ends in, told by the header ``x-call`` that verdicts, votes and dead letters
echo: a verdict on the same id with another payload is never taken for it. The record itself belongs to the workers as
soon as it is in the log: a call that ends early leaves it to finish or to expire.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Iterator
from contextlib import AsyncExitStack, contextmanager, suppress
from typing import TypeVar

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from pydantic import BaseModel, ValidationError

from consensus import wire
from consensus.errors import BrokerUnavailable, ConfigError, Malformed
from consensus.kafka.closing import close
from consensus.kafka.connect import bounded, client_options, output_bytes
from consensus.kafka.messages import STREAM_HEADER, Headers
from consensus.kafka.tail import CALL_HEADER, Tail
from consensus.kafka.topics import Topics
from consensus.kafka.waiting import Inbox, Kind, Waiting
from consensus.metrics import Metrics
from consensus.settings import KafkaSettings
from consensus.types import SCHEMA_VERSION, Outcome, Request, Ruling, Verdict, Vote

START_S = 30.0
ACK_S = 10.0

M = TypeVar("M", bound=BaseModel)


def partition_of(tenant: str, request_id: str, partitions: int) -> int:
    """The requests partition of an id: stable across gateways and processes."""
    digest = hashlib.sha256(f"{tenant}\0{request_id}".encode()).digest()
    return int.from_bytes(digest[:8]) % partitions


def ours(kind: type[M], value: bytes) -> M:
    """A message that this service wrote: no limits apply. One that cannot be read is our fault: RuntimeError."""
    try:
        return kind.model_validate_json(value)
    except ValidationError as error:
        location, reason, _ = wire.fault(error)
        raise RuntimeError(f"a {kind.__name__} of our own cannot be read: {location}: {reason}") from None


class Watch:
    """The verdicts on one request as they are committed."""

    def __init__(self, inbox: Inbox, tenant: str) -> None:
        self._inbox = inbox
        self._tenant = tenant

    async def newer(self, version: int, *, deadline: float) -> Verdict:
        """The next verdict of the tenant above ``version``. Raises TimeoutError, BrokerUnavailable."""
        async with asyncio.timeout_at(deadline):
            while True:
                verdict = ours(Verdict, (await self._inbox.get())[1])
                if verdict.tenant == self._tenant and verdict.version > version:
                    return verdict


class Client:
    """Produces requests, rulings and outcomes, and waits for verdicts, at most ``max_waiting`` at a time.

    ``deadline`` parameters are seconds on the running loop's clock. Life: `start`, then `failed` tells when the client
    can no longer answer, `stop` at the end.
    """

    def __init__(self, settings: KafkaSettings, metrics: Metrics, *, max_waiting: int, ack_s: float = ACK_S) -> None:
        self._settings = settings
        self._topics = Topics(settings.prefix)
        self._waiting = Waiting(max_waiting, metrics)
        self._ack_s = ack_s
        self._stack = AsyncExitStack()
        self._producer: AIOKafkaProducer
        self._tailing: asyncio.Task[None]
        self._partitions = 0

    @property
    def waiting(self) -> int:
        """Calls and watchers that wait now."""
        return len(self._waiting)

    @property
    def ready(self) -> bool:
        """Whether verdicts are being followed."""
        return self._partitions > 0 and not self._tailing.done()

    async def start(self) -> None:
        """Connect and stand at the end of the verdicts. Raises BrokerUnavailable within a bound."""
        async with AsyncExitStack() as stack:
            await bounded(self._open(stack), START_S, "connecting")
            self._stack = stack.pop_all()

    async def _open(self, stack: AsyncExitStack) -> None:
        options = client_options(self._settings)
        consumer = AIOKafkaConsumer(isolation_level="read_committed", auto_offset_reset="latest", **options)
        tail = Tail(consumer, self._topics, self._waiting)
        stack.push_async_callback(close, tail)
        self._partitions = await tail.start()
        # Not idempotent on purpose: that producer is lost after one rejected record, and a request that is in the log
        # twice is only a repeat.
        producer = AIOKafkaProducer(acks="all", max_request_size=output_bytes(self._settings), **options)
        stack.push_async_callback(close, producer)
        await producer.start()
        if len(await producer.partitions_for(self._topics.requests)) != self._partitions:
            raise ConfigError(
                "kafka.prefix", "requests and verdicts need equal numbers of partitions: consensus topics"
            )
        self._producer = producer
        self._tailing = asyncio.create_task(tail.run(), name="verdict-tail")
        stack.push_async_callback(_cancelled, self._tailing)

    async def failed(self) -> None:
        """Wait until the client can no longer answer, and raise why."""
        await asyncio.shield(self._tailing)

    async def stop(self) -> None:
        """End every wait, close both connections within a bound."""
        self._waiting.fail(BrokerUnavailable("the gateway is stopping"))
        await self._stack.aclose()

    async def decide(self, request: Request, *, deadline: float, headers: Headers = ()) -> Verdict:
        """Produce the request and wait for the end of its record.

        Raises TimeoutError at the deadline, Conflict where the id is known with another payload, Malformed and Poison
        as the worker found, Overloaded, BrokerUnavailable.
        """
        async with asyncio.timeout_at(deadline):
            with self._waiting.call() as (call_id, inbox):
                await self._produce(request, ((CALL_HEADER, call_id.encode()), *headers))
                _, value = await inbox.get()  # no votes: the record does not ask for them
                return ours(Verdict, value)

    async def stream(
        self, request: Request, *, deadline: float, headers: Headers = ()
    ) -> AsyncGenerator[Vote | Verdict, None]:
        """As `decide`, with the votes that arrive before the verdict. Close it when leaving early."""
        with self._waiting.call() as (call_id, inbox):
            async with asyncio.timeout_at(deadline):
                await self._produce(request, ((CALL_HEADER, call_id.encode()), (STREAM_HEADER, b"1"), *headers))
            kind: Kind = Vote
            while kind is Vote:
                # A timeout around the yield would strike while the caller does something else.
                async with asyncio.timeout_at(deadline):
                    kind, value = await inbox.get()
                yield ours(kind, value)

    @contextmanager
    def watch(self, tenant: str, request_id: str) -> Iterator[Watch]:
        """Follow the verdicts on one request from now on. Raises Overloaded, BrokerUnavailable."""
        with self._waiting.watch(request_id) as inbox:
            yield Watch(inbox, tenant)

    async def record_outcome(self, outcome: Outcome, *, headers: Headers = ()) -> None:
        """Produce ground truth; returns once the broker has it. Raises BrokerUnavailable."""
        await self._send(self._topics.outcomes, outcome.request_id, wire.write(outcome), headers=headers)

    async def rule(self, ruling: Ruling) -> None:
        """Produce a person's ruling to the partition its task id names. Raises Malformed, BrokerUnavailable."""
        place = ruling.task_id.partition(":")[0]
        if not place.isascii() or not place.isdigit() or int(place) >= self._partitions:
            raise Malformed("does not begin with a partition number", field="task_id")
        await self._send(self._topics.rulings, ruling.request_id, wire.write(ruling), partition=int(place))

    async def _produce(self, request: Request, headers: Headers) -> None:
        partition = partition_of(request.tenant, request.id, self._partitions)
        value = wire.write(request)
        if len(value) > self._settings.max_record_bytes:
            reason = f"has {len(value)} bytes as JSON, at most {self._settings.max_record_bytes} are allowed"
            raise Malformed(reason, field="request", code="too_large")
        await self._send(self._topics.requests, request.id, value, partition=partition, headers=headers)

    async def _send(
        self, topic: str, key: str, value: bytes, *, partition: int | None = None, headers: Headers = ()
    ) -> None:
        marks = [("schema-version", SCHEMA_VERSION.encode()), *headers]
        sending = self._producer.send_and_wait(topic, value, key.encode(), partition=partition, headers=marks)
        await bounded(sending, self._ack_s, f"producing to {topic}")


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError, BrokerUnavailable):
        await task
