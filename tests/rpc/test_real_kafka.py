"""The gateway on Apache Kafka: verdicts in milliseconds, and calls that wait across the broker's death."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.eventually import eventually
from tests.kafka.cluster import cluster
from tests.rpc.conftest import question
from tests.rpc.whole import decide, whole

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(300)]


async def test_a_call_that_waits_gets_its_verdict_across_the_death_of_the_broker(tmp_path: Path) -> None:
    """kill -9 while the request is being decided; nothing is asked twice, nothing is decided twice."""
    with cluster() as brokers:
        async with whole(brokers.bootstrap, tmp_path) as (stub, pipeline):
            await asyncio.gather(*(decide(stub, question(f"r-{i}")) for i in range(20)))
            pipeline.may.clear()
            waits = asyncio.create_task(decide(stub, question("waits"), seconds=120))
            await eventually(lambda: len(pipeline.decided) == 21)
            brokers.kill()
            await asyncio.to_thread(brokers.restart)
            pipeline.may.set()
            assert (await waits).verdict.request_id == "waits"
            assert (await decide(stub, question("next"), seconds=120)).verdict.request_id == "next"
            assert [request.id for request in pipeline.decided][20:] == ["waits", "next"]
