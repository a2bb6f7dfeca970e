"""One id from several sides at once: from Kafka and gRPC, and from producers that disagree about its partition."""

from __future__ import annotations

import asyncio
from collections import defaultdict

import grpc
import pytest

from consensus.rpc.convert import to_proto
from consensus.testing.evidence import Evidence
from consensus.types import Request
from protos.consensus.v1 import consensus_service_pb2 as api
from protos.consensus.v1 import request_pb2
from protos.consensus.v1.consensus_service_pb2_grpc import ConsensusServiceStub
from tests.faults.rig import SETTLE_S, Rig

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(600, method="signal")]

COUNT = 15


def requests(house: Rig, count: int = COUNT) -> list[Request]:
    return [house.request(f"r-{number}") for number in range(count)]


def verdicts(evidence: Evidence) -> dict[bytes, set[bytes]]:
    """The different verdicts on each id."""
    found: dict[bytes, set[bytes]] = defaultdict(set)
    for record in evidence.of("verdicts"):
        found[record.key or b""].add(record.value or b"")
    return found


async def test_kafka_and_grpc_at_once_get_one_verdict(house: Rig) -> None:
    """The same ids from a producer and from callers who wait, while every model takes its time: one round of calls."""
    await house.start("worker")
    await house.start("gateway", service="gateway")
    await house.order(latency_s=1.0)
    asked = requests(house)
    async with grpc.aio.insecure_channel(house.settings.grpc.listen) as channel:
        stub = ConsensusServiceStub(channel)
        calls = [
            stub.Decide(api.DecideRequest(request=to_proto(one, request_pb2.Request)), timeout=SETTLE_S)
            for one in asked
        ]
        waiting = asyncio.gather(*calls)
        await house.send(asked)
        replies = await waiting
        await house.settled()
    evidence = await house.verify()
    assert [reply.verdict.request_id for reply in replies] == [one.id for one in asked]
    assert {key: len(values) for key, values in verdicts(evidence).items()} == {one.id.encode(): 1 for one in asked}
    assert len(evidence.of("verdicts")) == 2 * COUNT
    assert len(evidence.of("signals")) == COUNT


async def test_producers_with_different_partitioners_get_one_verdict(house: Rig) -> None:
    """Every id stands on both partitions, which two workers own; one of them dies while it decides."""
    for name in ("one", "other"):
        await house.start(name)
    await house.order(latency_s=2.0)
    asked = requests(house)
    for partition in range(house.partitions):
        await house.send(asked, partition=partition)
    await house.asked(COUNT)
    house.processes["one"].kill()
    await house.died("one")
    excused = await house.unrecorded()
    await house.start("one")
    await house.settled()
    evidence = await house.verify(paid_again=excused)
    assert {key: len(values) for key, values in verdicts(evidence).items()} == {one.id.encode(): 1 for one in asked}
    assert len(evidence.of("verdicts")) == 2 * COUNT
    assert len(evidence.of("signals")) == COUNT
