"""A gateway on a free port, on the embedded broker, with a worker and a ledger that do as they are told."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import grpc
import pytest_asyncio
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from calibration.snapshot import Snapshot
from consensus.alarms import Raised
from consensus.demo.broker import embedded_broker
from consensus.kafka.client import Client
from consensus.kafka.topics import PARALLEL, Topics
from consensus.metrics import Metrics
from consensus.policy import Policy
from consensus.rpc.server import Server
from consensus.settings import GrpcSettings, KafkaSettings
from protos.consensus.v1 import consensus_service_pb2 as api
from protos.consensus.v1 import request_pb2
from protos.consensus.v1.calibration_service_pb2_grpc import CalibrationServiceStub
from protos.consensus.v1.consensus_service_pb2_grpc import ConsensusServiceStub
from protos.consensus.v1.review_service_pb2_grpc import ReviewServiceStub
from tests.rpc.fake_worker import FakeWorker

PARTITIONS = 2


class FakeLedger:
    """Committed verdicts and claims by (tenant, id)."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, str], tuple[bytes | None, str | None]] = {}
        self.error: Exception | None = None

    async def verdict(self, tenant: str, request_id: str) -> tuple[bytes | None, str | None]:
        if self.error is not None:
            raise self.error
        return self.rows.get((tenant, request_id), (None, None))


class FakeAlarms:
    """A store without alarms."""

    async def newest(self, *, max_severity: int, limit: int) -> list[Raised]:
        return []


@dataclass
class Gateway:
    """What a test needs of a running gateway."""

    address: str
    channel: grpc.aio.Channel
    client: Client
    server: Server
    ledger: FakeLedger
    metrics: Metrics
    topics: Topics
    broker: str
    snapshots: list[Snapshot]
    worker: FakeWorker

    @property
    def decisions(self):
        return ConsensusServiceStub(self.channel)

    def decide(self, request: request_pb2.Request, timeout: float = 20.0) -> Any:
        """Call Decide, without awaiting it."""
        return self.decisions.Decide(api.DecideRequest(request=request), timeout=timeout)

    @property
    def reviews(self):
        return ReviewServiceStub(self.channel)

    @property
    def calibration(self):
        return CalibrationServiceStub(self.channel)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def broker() -> AsyncIterator[str]:
    """``host:port`` of a running embedded broker."""
    async with embedded_broker() as address:
        yield address


async def create_topics(address: str, topics: Topics) -> None:
    """The topics a gateway needs."""
    admin = AIOKafkaAdminClient(bootstrap_servers=address)
    await admin.start()
    try:
        names = [getattr(topics, noun) for noun in (*PARALLEL, "outcomes", "votes", "dead_letters")]
        await admin.create_topics([NewTopic(name, PARTITIONS, 1) for name in names])
    finally:
        await admin.close()


def question(request_id: str = "r-1", prompt: str = "Is it?", **more: Any) -> request_pb2.Request:
    """A small boolean request."""
    spec = request_pb2.AnswerSpec(boolean=request_pb2.BooleanSpec())
    fields: dict[str, Any] = {
        "id": request_id,
        "domain": "law",
        "stakes": request_pb2.STAKES_HIGH,
        "prompt": prompt,
        "answer": spec,
    }
    return request_pb2.Request(**(fields | more))


@contextlib.asynccontextmanager
async def running(broker: str, **grpc_settings: object) -> AsyncIterator[Gateway]:
    """A gateway on topics of its own, with a worker that has not been started."""
    topics = Topics(f"t{uuid.uuid4().hex[:12]}")
    await create_topics(broker, topics)
    metrics, ledger = Metrics(), FakeLedger()
    snapshots: list[Snapshot] = []
    worker = FakeWorker(broker, topics, PARTITIONS)
    settings = GrpcSettings.model_validate({"listen": "127.0.0.1:0", "stop_grace_s": 0.5} | grpc_settings)
    client = Client(
        KafkaSettings(bootstrap_servers=broker, prefix=topics.prefix),
        metrics,
        max_waiting=settings.max_waiting,
        ack_s=2.0,
    )
    server = Server(
        settings,
        metrics,
        client,
        known=ledger,
        alarms=FakeAlarms(),
        policies={"default": Policy(name="default", panel="main")},
        snapshot=lambda: snapshots[-1] if snapshots else None,
    )
    async with contextlib.AsyncExitStack() as stack:
        await client.start()
        stack.push_async_callback(client.stop)
        port = await server.start()
        stack.push_async_callback(server.drain)
        channel = await stack.enter_async_context(grpc.aio.insecure_channel(f"127.0.0.1:{port}"))
        yield Gateway(f"127.0.0.1:{port}", channel, client, server, ledger, metrics, topics, broker, snapshots, worker)


@pytest_asyncio.fixture
async def gateway(broker: str) -> AsyncIterator[Gateway]:
    """A gateway without a worker: requests stay in the topic."""
    async with asyncio.timeout(60), running(broker) as gateway:
        yield gateway


@pytest_asyncio.fixture
async def served(gateway: Gateway) -> AsyncIterator[Gateway]:
    """A gateway with a worker that accepts everything unless told otherwise."""
    await gateway.worker.start()
    yield gateway
    await gateway.worker.stop()
