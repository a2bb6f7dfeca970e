"""The worker on a broker: every record ends in one verdict, repeat or dead letter, whatever comes between."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from calibration.store.engine import create_engine, metadata
from consensus.settings import KafkaSettings
from tests.kafka.decisions import Decider, request
from tests.kafka.rig import Rig, rig


@pytest_asyncio.fixture
async def line(broker: str, prefix: str, tmp_path: Path) -> AsyncIterator[Rig]:
    """Topics of two partitions and an empty SQLite store."""
    settings = KafkaSettings(
        bootstrap_servers=broker,
        prefix=prefix,
        group=prefix,
        partitions=2,
        in_flight=20,
        drain_seconds=5,
        request_timeout_ms=10_000,
    )
    engine = create_engine(f"sqlite+aiosqlite:///{tmp_path / 'store.sqlite'}")
    async with engine.begin() as connection:
        await connection.run_sync(metadata.create_all)
    async with rig(settings, engine) as made:
        yield made
    await engine.dispose()


async def test_a_request_becomes_a_verdict(line: Rig) -> None:
    """One record leads to one verdict, one review task and one signal beside it, and its offset is committed."""
    decide = Decider()
    headers = [("traceparent", b"00-1-2-01"), ("x-call", b"7"), ("secret", b"no")]
    async with line.worker(decide) as running:
        await line.send(request("r1"), partition=1, key=b"else", headers=headers)
        await line.until(verdicts=1, reviews=1, signals=1)
        await line.committed_to(1, partition=1)
        for noun in ("verdicts", "reviews", "signals"):
            [record] = line.seen[noun]
            assert (record.partition, record.key) == (1, b"r1")
            assert dict(record.headers) == {"schema-version": b"1", "traceparent": b"00-1-2-01", "x-call": b"7"}
        assert line.verdicts()[0].request_id == "r1"
        assert decide.paid == {"r1": 1}
        assert running.metrics.value("commits", result="ok") == 1
