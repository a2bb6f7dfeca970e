"""One embedded broker and one real one per test session; every test uses a topic prefix and a group of its own."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from sqlalchemy.ext.asyncio import AsyncEngine

from calibration.store.engine import create_engine, metadata
from calibration.store.migrate import migrate
from consensus.demo.broker import embedded_broker
from consensus.settings import KafkaSettings
from tests.kafka.brokers import APACHE
from tests.kafka.cluster import cluster
from tests.kafka.rig import Rig, rig


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests on a real broker: one that takes too long fails by itself, so that what it started is still taken down."""
    for item in items:
        if item.get_closest_marker("kafka") is None:
            continue
        if item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(300, method="signal"))


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def broker() -> AsyncIterator[str]:
    """``host:port`` of a running embedded broker."""
    async with embedded_broker() as address:
        yield address


@pytest.fixture(scope="session")
def apache() -> Iterator[str]:
    """``host:port`` of one real Kafka broker; whoever uses it is marked ``kafka``."""
    with cluster() as made:
        yield made.bootstrap


@pytest.fixture
def prefix() -> str:
    """A topic prefix, and a good group name, that no other test uses."""
    return f"t{uuid.uuid4().hex[:12]}"


@pytest.fixture(params=["embedded", APACHE])
def address(request: pytest.FixtureRequest) -> str:
    """A broker: each test runs on the embedded one and on a real one."""
    return str(request.getfixturevalue("broker" if request.param == "embedded" else "apache"))


@pytest_asyncio.fixture
async def engine(tmp_path: Path) -> AsyncIterator[AsyncEngine]:
    """A migrated store in a file."""
    made = create_engine(f"sqlite+aiosqlite:///{tmp_path / 'store.sqlite'}")
    await migrate(made)
    yield made
    await made.dispose()


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
