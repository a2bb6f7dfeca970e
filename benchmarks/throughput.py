"""What exactly-once costs in throughput, with models that take 500 ms each.

    python benchmarks/throughput.py [--broker HOST:PORT] [--requests 600] [--in-flight 200] [--json]

Three ways to decide the same requests with the same models and pipeline, one process each time:
*exactly once*, the worker (claims, ledger, stored decisions, transactions; SQLite) on a real Kafka;
*bare*, an asyncio fan-out of the same width without Kafka and without a store;
*naive*, a consumer that awaits each record, produces its verdict and commits (over a few records: it is slow).
Without ``--broker`` a broker is started from Kafka's own jars, which needs a JDK and Maven.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from consensus import app, wire
from consensus.pipeline import Resources, decide
from consensus.types import Request
from tests.faults import plain_models
from tests.faults.rig import ENVIRONMENT, Rig, rig
from tests.kafka.cluster import cluster
from tests.kafka.distribution import KafkaMissing

LATENCY_S = 0.5
NAIVE = 20
"""Records that the naive consumer gets."""


async def exactly_once(house: Rig, requests: Sequence[Request], in_flight: int) -> float:
    """Requests per second of one worker that is ready before they arrive, until the last offset is committed."""
    await house.start("worker", in_flight=in_flight)
    await house.send([house.request("warm")])
    await house.settled()
    started = time.monotonic()
    await house.send(requests)
    await house.settled(600)
    rate = len(requests) / (time.monotonic() - started)
    await house.processes["worker"].stop()
    return rate


async def bare(house: Rig, requests: Sequence[Request], in_flight: int) -> float:
    """Requests per second of the pipeline alone."""
    async with pipeline(house) as resources:
        room = asyncio.Semaphore(in_flight)

        async def one(request: Request) -> None:
            async with room:
                await decide(request, resources)

        started = time.monotonic()
        await asyncio.gather(*(one(request) for request in requests))
        return len(requests) / (time.monotonic() - started)


async def naive(house: Rig, requests: Sequence[Request]) -> float:
    """Requests per second of poll, await, produce, commit."""
    servers = house.settings.kafka.bootstrap_servers
    consumer = AIOKafkaConsumer(
        house.topics.requests,
        bootstrap_servers=servers,
        group_id=f"naive-{uuid.uuid4().hex}",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
    )
    producer = AIOKafkaProducer(bootstrap_servers=servers)
    await consumer.start()
    await producer.start()
    try:
        async with pipeline(house) as resources:
            started = time.monotonic()
            for _ in requests:
                record = await consumer.getone()
                decision = await decide(wire.read(Request, record.value), resources)
                await producer.send_and_wait(house.topics.verdicts, wire.write(decision.verdict), record.key)
                await consumer.commit()
            return len(requests) / (time.monotonic() - started)
    finally:
        await producer.stop()
        await consumer.stop()


@asynccontextmanager
async def pipeline(house: Rig) -> AsyncIterator[Resources]:
    """The same models as the worker's, in this process."""
    sys.modules["consensus.models.litellm"] = plain_models
    os.environ.update(ENVIRONMENT)
    async with app.resources(house.settings) as resources:
        yield resources


async def measure(broker: str, count: int, in_flight: int) -> dict[str, Any]:
    """All three, each on topics of its own."""
    found: dict[str, Any] = {"requests": count, "in_flight": in_flight, "model_latency_s": LATENCY_S}
    for name in ("exactly_once", "bare", "naive"):
        with tempfile.TemporaryDirectory() as folder:
            async with rig(Path(folder), broker, f"b{uuid.uuid4().hex[:12]}") as house:
                for model in house.document["models"].values():
                    model["max_in_flight"] = in_flight  # the width of all three, not of one model
                house.reload()
                await house.order(latency_s=LATENCY_S)
                requests = [house.request(f"r-{number}") for number in range(NAIVE if name == "naive" else count)]
                if name == "exactly_once":
                    found[name] = await exactly_once(house, requests, in_flight)
                elif name == "bare":
                    found[name] = await bare(house, requests, in_flight)
                else:
                    await house.send(requests)
                    found[name] = await naive(house, requests)
    return found | {
        "of_bare": found["exactly_once"] / found["bare"],
        "times_naive": found["exactly_once"] / found["naive"],
    }


def main() -> None:
    parse = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parse.add_argument("--broker")
    parse.add_argument("--requests", type=int, default=600)
    parse.add_argument("--in-flight", type=int, default=200)
    parse.add_argument("--json", action="store_true")
    options = parse.parse_args()
    with ExitStack() as stack:
        try:
            broker = options.broker or stack.enter_context(cluster()).bootstrap
        except KafkaMissing as missing:
            print(f"left out: {missing}")
            return
        found = asyncio.run(measure(broker, options.requests, options.in_flight))
    if options.json:
        print(json.dumps(found, indent=2))
        return
    print(f"{found['requests']} requests, {found['in_flight']} in flight, models take {LATENCY_S:g} s")
    for name in ("exactly_once", "bare", "naive"):
        print(f"{name.replace('_', ' '):>14}  {found[name]:8.1f} requests/s")
    print(f"exactly once is {found['of_bare']:.2f} of bare and {found['times_naive']:.1f} times naive")


if __name__ == "__main__":
    main()
