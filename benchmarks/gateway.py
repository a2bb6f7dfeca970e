"""What gRPC Decide adds to a decision: from the call to the verdict when models answer at once.

    python benchmarks/gateway.py [--broker HOST:PORT] [--store URL] [--rates 1,20,100] [--seconds 5] [--json]

Worker, and gateway with its callers, are a process each, on one store (SQLite; ``--store`` names an empty database in
its place); without ``--broker`` on the embedded one, which answers fetches at once instead of holding them back, so
that idle consumers cost CPU there. Milliseconds.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import grpc

from calibration.store.engine import create_engine
from calibration.store.migrate import migrate
from consensus.alarms import Alarms
from consensus.demo.broker import embedded_broker
from consensus.kafka.client import Client
from consensus.kafka.topic_admin import create_topics
from consensus.kafka.worker import Worker
from consensus.ledger import Ledger
from consensus.metrics import Metrics
from consensus.policy import Policy
from consensus.rpc.server import Server
from consensus.settings import GrpcSettings, KafkaSettings
from consensus.types import Decision, Disagreement, Kind, Request, Route, Status, Verdict
from protos.consensus.v1 import consensus_service_pb2 as api
from protos.consensus.v1 import request_pb2
from protos.consensus.v1.consensus_service_pb2_grpc import ConsensusServiceStub

WARM = 20
NOTHING = Disagreement(kind=Kind.NONE, effective_votes=1.0, effective_votes_source="assumed", entropy=0.0)


async def decide(request: Request, **_: Any) -> Decision:
    """A decision without models."""
    verdict = Verdict(
        request_id=request.id,
        tenant=request.tenant,
        version=1,
        status=Status.ABSTAINED,
        uncertified=True,
        route=Route.ABSTAIN,
        disagreement=NOTHING,
        degraded=False,
        policy_version="default@0",
        decided_at=datetime.now(UTC),
    )
    return Decision(verdict=verdict)


async def work(kafka: KafkaSettings, store: str) -> None:
    """The worker's process; killed by its parent."""
    worker = Worker(kafka, Ledger(create_engine(store)), decide, Metrics())
    await worker.start()
    await worker.run()


@asynccontextmanager
async def gateway(kafka: KafkaSettings, store: str) -> AsyncIterator[ConsensusServiceStub]:
    """A gateway in this process and a caller's stub for it."""
    async with AsyncExitStack() as stack:
        engine = create_engine(store)
        stack.push_async_callback(engine.dispose)
        client = Client(kafka, Metrics(), max_waiting=1_000)
        await client.start()
        stack.push_async_callback(client.stop)
        server = Server(
            GrpcSettings(listen="127.0.0.1:0", stop_grace_s=1.0),
            Metrics(),
            client,
            known=Ledger(engine),
            alarms=Alarms(engine, 10.0),
            policies={"default": Policy(name="default", panel="none")},
            snapshot=lambda: None,
        )
        port = await server.start()
        stack.push_async_callback(server.drain)
        yield ConsensusServiceStub(await stack.enter_async_context(grpc.aio.insecure_channel(f"127.0.0.1:{port}")))


async def call(stub: ConsensusServiceStub) -> float:
    """Milliseconds of one Decide."""
    request = request_pb2.Request(
        id=uuid.uuid4().hex,
        domain="law",
        stakes=request_pb2.STAKES_LOW,
        prompt="Is the clause enforceable?",
        answer=request_pb2.AnswerSpec(boolean=request_pb2.BooleanSpec()),
    )
    started = time.perf_counter()
    decided: Any = stub.Decide(api.DecideRequest(request=request), timeout=60)
    await decided
    return (time.perf_counter() - started) * 1e3


async def at_rate(stub: ConsensusServiceStub, rate: float, seconds: float) -> dict[str, float]:
    """Calls at even distances, however long each takes; p50 and p99 of their times."""
    started, calls = time.perf_counter(), []
    for number in range(max(10, int(rate * seconds))):
        await asyncio.sleep(max(0.0, started + number / rate - time.perf_counter()))
        calls.append(asyncio.create_task(call(stub)))
    times = sorted(await asyncio.gather(*calls))
    return {"rate": rate, "calls": len(times), "p50": times[len(times) // 2], "p99": times[int(len(times) * 0.99) - 1]}


async def measure(options: argparse.Namespace, folder: Path) -> list[dict[str, float]]:
    """One row for each rate."""
    name, store = f"bench-{uuid.uuid4().hex[:8]}", options.store or f"sqlite+aiosqlite:///{folder / 'store.sqlite'}"
    async with nullcontext(options.broker) if options.broker else embedded_broker() as address:
        kafka = KafkaSettings(bootstrap_servers=address, prefix=name, group=name, instance_id=name)
        await create_topics(kafka)
        engine = create_engine(store)
        await migrate(engine)
        await engine.dispose()
        command = (sys.executable, __file__, "--work", kafka.model_dump_json(), "--store", store)
        worker = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.DEVNULL)
        try:
            async with gateway(kafka, store) as stub:
                await asyncio.gather(*(call(stub) for _ in range(WARM)))
                return [await at_rate(stub, rate, options.seconds) for rate in options.rates]
        finally:
            worker.kill()
            await worker.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--broker")
    parser.add_argument("--rates", type=lambda text: [float(rate) for rate in text.split(",")], default=[1, 20, 100])
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--work", help=argparse.SUPPRESS)
    parser.add_argument("--store")
    options = parser.parse_args()
    if options.work:
        asyncio.run(work(KafkaSettings.model_validate_json(options.work), options.store))
        return
    with tempfile.TemporaryDirectory() as folder:
        rows = asyncio.run(measure(options, Path(folder)))
    if options.json:
        print(json.dumps(rows))
        return
    for row in rows:
        print(f"{row['rate']:g}/s: p50 {row['p50']:.0f} ms, p99 {row['p99']:.0f} ms over {row['calls']:.0f} calls")


if __name__ == "__main__":
    main()
