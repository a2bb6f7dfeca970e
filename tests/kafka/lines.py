"""A rig on either broker with an empty SQLite store, for every module that tests the worker."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from calibration.store.engine import create_engine, metadata
from consensus.settings import KafkaSettings
from tests.kafka.rig import Rig, rig

APACHE = pytest.param("apache", marks=pytest.mark.kafka)

only_apache = pytest.mark.parametrize("address", [APACHE], indirect=True)
"""The embedded broker never shows a reader what follows an aborted transaction that it was waiting behind."""


@pytest.fixture(params=["embedded", APACHE])
def address(request: pytest.FixtureRequest) -> str:
    """A broker: each test runs on the embedded one and on a real one."""
    return request.getfixturevalue("broker" if request.param == "embedded" else "apache")


@pytest_asyncio.fixture
async def line(address: str, prefix: str, tmp_path: Path) -> AsyncIterator[Rig]:
    """Topics of two partitions and an empty SQLite store."""
    settings = KafkaSettings(
        bootstrap_servers=address,
        prefix=prefix,
        group=prefix,
        partitions=2,
        in_flight=20,
        drain_seconds=5,
        request_timeout_ms=10_000,
        session_timeout_ms=6_000,
        rebalance_timeout_ms=6_000,
        max_record_bytes=20_000,
    )
    engine = create_engine(f"sqlite+aiosqlite:///{tmp_path / 'store.sqlite'}")
    async with engine.begin() as connection:
        await connection.run_sync(metadata.create_all)
    async with rig(settings, engine) as made:
        yield made
    await engine.dispose()
