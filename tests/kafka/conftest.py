"""One embedded broker and one real one per test session; every test uses a topic prefix and a group of its own."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from consensus.demo.broker import embedded_broker
from tests.kafka.cluster import cluster


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
