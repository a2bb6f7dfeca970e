"""Both ends of the topic of snapshots, running."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from consensus.kafka.snapshots import Follower, Publisher
from consensus.metrics import Metrics
from consensus.settings import KafkaSettings


@asynccontextmanager
async def following(
    settings: KafkaSettings, *, metrics: Metrics | None = None, **options: Any
) -> AsyncIterator[Follower]:
    """A follower that has read the topic once and goes on reading."""
    follower = Follower(settings, metrics or Metrics(), **options)
    await follower.start()
    task = asyncio.create_task(follower.run())
    try:
        yield follower
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await follower.stop()


@asynccontextmanager
async def publishing(settings: KafkaSettings) -> AsyncIterator[Publisher]:
    """A publisher that is connected."""
    publisher = Publisher(settings)
    await publisher.start()
    try:
        yield publisher
    finally:
        await publisher.stop()
