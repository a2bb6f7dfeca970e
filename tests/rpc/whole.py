"""The real worker, ledger and gateway in one process; only models are missing: what is decided is fixed."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc

from calibration.store.engine import create_engine, metadata
from consensus.alarms import Alarms
from consensus.kafka.client import Client
from consensus.kafka.topic_admin import create_topics
from consensus.kafka.worker import Worker
from consensus.ledger import Ledger
from consensus.metrics import Metrics
from consensus.policy import Policy
from consensus.rpc.server import Server
from consensus.settings import GrpcSettings, KafkaSettings
from consensus.types import Decision, Request
from protos.consensus.v1 import consensus_service_pb2 as api
from protos.consensus.v1 import request_pb2
from protos.consensus.v1.consensus_service_pb2_grpc import ConsensusServiceStub
from tests.eventually import eventually
from tests.rpc.fake_worker import verdict_for, vote_for


class Pipeline:
    """Accepts every request once it may; counts the decisions that were paid for."""

    def __init__(self) -> None:
        self.may = asyncio.Event()
        self.may.set()
        self.decided: list[Request] = []

    async def __call__(self, request: Request, *, received_at, log, place, on_vote) -> Decision:
        self.decided.append(request)
        if on_vote is not None:
            for model in ("a", "b"):
                on_vote(vote_for(request, model).entry)
        await self.may.wait()
        return Decision(verdict=verdict_for(request))


@contextlib.asynccontextmanager
async def whole(broker: str, folder: Path) -> AsyncIterator[tuple[ConsensusServiceStub, Pipeline]]:
    """Worker and gateway on topics and a store of their own."""
    name = f"t{uuid.uuid4().hex[:12]}"
    kafka = KafkaSettings(bootstrap_servers=broker, prefix=name, group=name, instance_id=name, partitions=2)
    await create_topics(kafka)
    async with contextlib.AsyncExitStack() as stack:
        engine = create_engine(f"sqlite+aiosqlite:///{folder / 'store.sqlite'}")
        stack.push_async_callback(engine.dispose)
        async with engine.begin() as connection:
            await connection.run_sync(metadata.create_all)
        pipeline = Pipeline()
        worker = Worker(kafka, Ledger(engine), pipeline, Metrics())
        await worker.start()
        stack.push_async_callback(worker.stop)
        working = asyncio.create_task(worker.run())
        stack.push_async_callback(asyncio.wait, [working])
        stack.callback(working.cancel)
        client = Client(kafka, Metrics(), max_waiting=50)
        await client.start()
        stack.push_async_callback(client.stop)
        server = Server(
            GrpcSettings(listen="127.0.0.1:0", stop_grace_s=0.5),
            Metrics(),
            client,
            known=Ledger(engine),
            alarms=Alarms(engine, 10.0),
            policies={"default": Policy(name="default", panel="main")},
            snapshot=lambda: None,
        )
        port = await server.start()
        stack.push_async_callback(server.drain)
        await eventually(lambda: worker.ready)
        channel = await stack.enter_async_context(grpc.aio.insecure_channel(f"127.0.0.1:{port}"))
        yield ConsensusServiceStub(channel), pipeline


async def decide(stub: Any, request: request_pb2.Request, *, seconds: float = 30.0) -> api.DecideResponse:
    response: api.DecideResponse = await stub.Decide(api.DecideRequest(request=request), timeout=seconds)
    return response
