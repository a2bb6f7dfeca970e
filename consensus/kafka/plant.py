"""What the lanes of one process share."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient

from consensus.kafka.marks import Marks
from consensus.ledger import Ledger
from consensus.metrics import Metrics
from consensus.settings import KafkaSettings

OPENING_AT_ONCE = 8


class Flow(StrEnum):
    """Why a lane takes records or does not."""

    OPENING = "opening"
    OPEN = "open"
    IN_FLIGHT = "in_flight"  # as many requests are being decided as may be
    INCOMPLETE = "incomplete"  # too much is unfinished above the committed offset
    STORE = "store"  # claims cannot be made
    CLOSED = "closed"


@dataclass(frozen=True)
class Plant:
    """Clients, ledger and measures; ``spawn`` runs something to its end beside everything else."""

    settings: KafkaSettings
    consumer: AIOKafkaConsumer
    admin: AIOKafkaAdminClient
    ledger: Ledger
    marks: Marks
    metrics: Metrics
    spawn: Callable[[Coroutine[Any, Any, None]], None]
    opening: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(OPENING_AT_ONCE))
    """Bounds how many lanes open at the same time."""

    @property
    def call_s(self) -> float:
        """Bound of one call to the broker, seconds."""
        return self.settings.request_timeout_ms / 1000
