"""The gateway before the real worker and the real ledger; only models are missing: what is decided is fixed."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest_asyncio

from calibration.store.engine import create_engine, metadata
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
from tests.rpc.conftest import question
from tests.rpc.details import failure, field_of
from tests.rpc.fake_worker import verdict_for, vote_for

Code = grpc.StatusCode


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


@pytest_asyncio.fixture
async def service(broker: str, tmp_path: Path) -> AsyncIterator[tuple[ConsensusServiceStub, Pipeline]]:
    """Worker and gateway on topics and a store of their own."""
    name = f"t{uuid.uuid4().hex[:12]}"
    kafka = KafkaSettings(bootstrap_servers=broker, prefix=name, group=name, instance_id=name, partitions=2)
    await create_topics(kafka)
    async with contextlib.AsyncExitStack() as stack:
        engine = create_engine(f"sqlite+aiosqlite:///{tmp_path / 'store.sqlite'}")
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


async def test_one_decision_however_often_it_is_asked(service) -> None:
    """In one call, in two at a time, again later: the same verdict, one decision; another payload is refused."""
    stub, pipeline = service
    pipeline.may.clear()
    both = [asyncio.create_task(decide(stub, question())) for _ in range(2)]
    await eventually(lambda: pipeline.decided)
    error = await failure(decide(stub, question(prompt="Is it not?")))
    assert (error.code(), field_of(error)) == (Code.ALREADY_EXISTS, "request.id")
    pipeline.may.set()
    first, second = await asyncio.gather(*both)
    third = await decide(stub, question(deadline_ms=9_000))
    assert first == second == third
    assert len(pipeline.decided) == 1
    error = await failure(decide(stub, question(prompt="Is it not?")))
    assert error.code() is Code.ALREADY_EXISTS


async def test_payloads_that_race_for_one_id_end_in_one_verdict_and_one_refusal(service) -> None:
    """Both are produced before either is claimed."""
    stub, pipeline = service
    calls = (decide(stub, question(prompt=prompt)) for prompt in ("Is it?", "Is it not?"))
    results = await asyncio.gather(*calls, return_exceptions=True)
    (verdict,) = [result for result in results if isinstance(result, api.DecideResponse)]
    (error,) = [result for result in results if isinstance(result, grpc.aio.AioRpcError)]
    assert verdict.verdict.request_id == "r-1"
    assert error.code() is Code.ALREADY_EXISTS
    assert len(pipeline.decided) == 1


async def test_a_call_that_timed_out_is_found_by_get_verdict(service) -> None:
    stub, pipeline = service
    pipeline.may.clear()
    error = await failure(decide(stub, question(), seconds=0.5))
    assert error.code() is Code.DEADLINE_EXCEEDED
    assert (pipeline.decided[0].deadline_ms or 0) <= 500
    error = await failure(stub.GetVerdict(api.GetVerdictRequest(request_id="r-1")))
    assert error.code() is Code.NOT_FOUND
    pipeline.may.set()

    async def found() -> bool:
        with contextlib.suppress(grpc.aio.AioRpcError):
            return (await stub.GetVerdict(api.GetVerdictRequest(request_id="r-1"))).verdict.version == 1
        return False

    await eventually(found)
    error = await failure(stub.GetVerdict(api.GetVerdictRequest(request_id="r-1", tenant="another")))
    assert error.code() is Code.NOT_FOUND


async def test_votes_are_streamed(service) -> None:
    stub, pipeline = service
    pipeline.may.clear()
    events = aiter(stub.DecideStream(api.DecideStreamRequest(request=question()), timeout=30))
    assert [(await anext(events)).vote.entry.model for _ in range(2)] == ["a", "b"]
    pipeline.may.set()
    assert [event.WhichOneof("event") async for event in events] == ["verdict"]
