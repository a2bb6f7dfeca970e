"""Closing a Kafka client that may be in any state."""

from __future__ import annotations

import asyncio
from typing import Protocol

import structlog

STOP_S = 5.0

logger = structlog.get_logger(__name__)


class Stoppable(Protocol):
    """aiokafka's consumers and producers."""

    async def stop(self) -> None:
        """Disconnect; has no deadline of its own while the broker is away."""
        ...


async def close(client: Stoppable, seconds: float = STOP_S) -> None:
    """Stop a client within a bound; what is left of it dies with the process.

    In a task of its own: a consumer that is stopped right after its start lets its own cancellation out of ``stop``.
    """
    stopping = asyncio.ensure_future(client.stop())
    done, _ = await asyncio.wait({stopping}, timeout=seconds)
    if not done:
        stopping.cancel()
        logger.warning("kafka_client_did_not_stop", seconds=seconds)
    elif not stopping.cancelled() and (error := stopping.exception()) is not None:
        logger.warning("kafka_client_stopped_with_error", error=type(error).__name__)
