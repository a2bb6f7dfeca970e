"""The gateway's life: health, draining, the broker going and coming, nothing left behind."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from consensus.demo.broker import embedded_broker
from consensus.errors import BrokerUnavailable, ConfigError
from consensus.kafka.client import Client
from consensus.metrics import Metrics
from consensus.rpc.server import SERVICES, Server
from consensus.settings import GrpcSettings, KafkaSettings
from consensus.types import Request, Verdict
from tests.eventually import eventually
from tests.rpc.conftest import PARTITIONS, FakeAlarms, Gateway, question, running
from tests.rpc.details import failure
from tests.rpc.fake_worker import FakeWorker, verdict_for
from tests.rpc.test_streams import tasks

Code = grpc.StatusCode
SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


@pytest.mark.parametrize("service", ["", *SERVICES])
async def test_every_service_is_healthy_once_the_server_runs(gateway: Gateway, service: str) -> None:
    stub: Any = health_pb2_grpc.HealthStub(gateway.channel)
    assert (await stub.Check(health_pb2.HealthCheckRequest(service=service))).status == SERVING


async def test_draining_is_told_and_a_call_that_waits_gets_its_verdict(broker: str) -> None:
    async with running(broker, stop_grace_s=10) as gateway:
        go_on = asyncio.Event()

        async def slowly(request: Request, headers: dict[str, bytes]) -> Verdict:
            await go_on.wait()
            return verdict_for(request)

        gateway.worker.answer = slowly
        await gateway.worker.start()
        stub: Any = health_pb2_grpc.HealthStub(gateway.channel)
        watching = stub.Watch(health_pb2.HealthCheckRequest())
        assert (await watching.read()).status == SERVING
        call = gateway.decide(question())
        await eventually(lambda: gateway.worker.seen)
        draining = asyncio.create_task(gateway.server.drain())
        assert (await watching.read()).status == NOT_SERVING
        watching.cancel()
        go_on.set()
        assert (await call).verdict.request_id == "r-1"
        await draining
        await gateway.worker.stop()
        assert (await failure(gateway.decide(question("late")))).code() is Code.UNAVAILABLE


async def test_a_call_that_waits_longer_than_the_grace_is_ended(broker: str) -> None:
    async with running(broker, stop_grace_s=0.2) as gateway:
        call = gateway.decide(question())
        await eventually(lambda: gateway.client.waiting == 1)
        await gateway.server.drain()
        assert (await failure(call)).code() in (Code.UNAVAILABLE, Code.CANCELLED)
        await eventually(lambda: gateway.client.waiting == 0)


async def test_a_taken_port_is_a_configuration_error(gateway: Gateway) -> None:
    second = Server(
        GrpcSettings(listen=gateway.address),
        Metrics(),
        gateway.client,
        known=gateway.ledger,
        alarms=FakeAlarms(),
        policies={},
        snapshot=lambda: None,
    )
    with pytest.raises(ConfigError) as caught:
        await second.start()
    assert caught.value.path == "grpc.listen"
    await second.drain()


async def test_missing_topics_are_named(broker: str) -> None:
    client = Client(KafkaSettings(bootstrap_servers=broker, prefix="nobody-made-these"), Metrics(), max_waiting=1)
    with pytest.raises(BrokerUnavailable, match=r"nobody-made-these\.verdicts does not exist"):
        await client.start()
    assert not client.ready
    await client.stop()


async def test_no_broker_is_told_at_start() -> None:
    client = Client(KafkaSettings(bootstrap_servers="127.0.0.1:1"), Metrics(), max_waiting=1)
    with pytest.raises(BrokerUnavailable, match="connecting"):
        await client.start()


async def test_the_broker_goes_and_comes_back(tmp_path: Path) -> None:
    """Meanwhile calls are UNAVAILABLE; afterwards the same gateway goes on, and follows where it was."""
    async with embedded_broker(tmp_path) as address:
        port = int(address.rpartition(":")[2])
        stack = running(address)
        gateway = await stack.__aenter__()
    try:
        error = await failure(gateway.decide(question("lost")))
        assert error.code() is Code.UNAVAILABLE
        assert gateway.client.ready
        async with embedded_broker(tmp_path, port=port):
            worker = FakeWorker(address, gateway.topics, PARTITIONS)
            await worker.start()
            await eventually(lambda: _decides(gateway))
            await worker.stop()
    finally:
        await stack.__aexit__(None, None, None)


async def _decides(gateway: Gateway) -> bool:
    try:
        response = await gateway.decide(question("found"), timeout=5)
    except grpc.aio.AioRpcError:
        return False
    return response.verdict.request_id == "found"


async def test_a_dead_tail_is_noticed_and_ends_every_wait(gateway: Gateway) -> None:
    call = gateway.decide(question())
    await eventually(lambda: gateway.client.waiting == 1)
    for task in asyncio.all_tasks():
        if getattr(task.get_coro(), "__qualname__", "") == "Fetcher._fetch_requests_routine":
            task.cancel()
    with pytest.raises(BrokerUnavailable, match="fetching task"):
        await gateway.client.failed()
    assert not gateway.client.ready
    assert (await failure(call)).code() is Code.UNAVAILABLE
    assert (await failure(gateway.decide(question("next")))).code() is Code.UNAVAILABLE


async def test_after_load_nothing_is_left(served: Gateway) -> None:
    """Tasks and file descriptors are back where they were; half of the callers left early."""
    await served.decide(question("warm"))
    before, files = tasks(), len(os.listdir("/proc/self/fd"))
    for wave in range(5):
        calls = [served.decide(question(f"r-{wave}-{i}")) for i in range(60)]
        for call in calls[::2]:
            call.cancel()
        answered = [(await call).verdict.request_id for call in calls[1::2]]
        assert answered == [f"r-{wave}-{i}" for i in range(1, 60, 2)]
        await asyncio.gather(*calls, return_exceptions=True)
    await eventually(lambda: served.client.waiting == 0)
    await eventually(lambda: not tasks() - before)
    await eventually(lambda: len(os.listdir("/proc/self/fd")) <= files)


class Doorman(grpc.aio.ServerInterceptor):
    """Lets in who says the word."""

    async def intercept_service(self, continuation, handler_call_details):
        if ("word", "friend") in handler_call_details.invocation_metadata:
            return await continuation(handler_call_details)

        async def refuse(request, context):
            await context.abort(Code.UNAUTHENTICATED, "say the word")

        return grpc.unary_unary_rpc_method_handler(refuse)


async def test_interceptors_stand_before_everything_else(gateway: Gateway) -> None:
    server = Server(
        GrpcSettings(listen="127.0.0.1:0", stop_grace_s=0.1),
        Metrics(),
        gateway.client,
        known=gateway.ledger,
        alarms=FakeAlarms(),
        policies={},
        snapshot=lambda: None,
        interceptors=[Doorman()],
    )
    port = await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        call: Any = channel.unary_unary("/consensus.v1.ConsensusService/GetVerdict")
        assert (await failure(call(b"\xff"))).code() is Code.UNAUTHENTICATED
        assert (await failure(call(b"\xff", metadata=(("word", "friend"),)))).code() is Code.INVALID_ARGUMENT
    await server.drain()
