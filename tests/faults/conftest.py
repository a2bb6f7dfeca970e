"""One real broker for all fault tests that do not hurt it; every test has topics and a group of its own."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.faults.rig import Rig, rig
from tests.kafka.cluster import Cluster, cluster
from tests.postgres import fresh_database, postgres

__all__ = ["postgres"]


@pytest.fixture(scope="session")
def kafka() -> Iterator[Cluster]:
    """A single broker, for tests in which only workers die."""
    with cluster() as running:
        yield running


@pytest.fixture
def prefix() -> str:
    """A topic prefix and group that no other test uses."""
    return f"t{uuid.uuid4().hex[:12]}"


@pytest_asyncio.fixture
async def house_on_postgres(kafka: Cluster, postgres: str, tmp_path: Path, prefix: str) -> AsyncIterator[Rig]:
    """Everything but the workers, on PostgreSQL: a process that is frozen in a write would hold SQLite's only lock."""
    async with rig(tmp_path, kafka.bootstrap, prefix, store=await fresh_database(postgres)) as made:
        yield made


@pytest_asyncio.fixture
async def house(kafka: Cluster, tmp_path: Path, prefix: str) -> AsyncIterator[Rig]:
    """Everything but the workers."""
    async with rig(tmp_path, kafka.bootstrap, prefix) as made:
        yield made
