"""What a worker does beside its records: beats while it keeps promises, and forgetting what is old."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime

import structlog

from consensus.errors import StoreUnavailable
from consensus.kafka.deciding import Deciding
from consensus.ledger import Ledger
from consensus.settings import RetentionSettings

BEAT_S = 1.0
FORGET_S = 3_600.0
NEXT_BITE_S = 0.05

log = structlog.get_logger()


async def beat(ledger: Ledger, deciding: Deciding, partitions: Callable[[], set[int]]) -> None:
    """While decisions run on for partitions that were given up, show whoever waits for them that this process lives.

    ``partitions`` gives those of the requests topic that are ours now. Runs until cancelled.
    """
    while True:
        if deciding.outside(partitions()):
            try:
                await ledger.runs.beat(ledger.run)
            except StoreUnavailable as error:
                log.warning("no beat", error=str(error))
        await asyncio.sleep(BEAT_S)


async def forget(ledger: Ledger, claim_days: float, kept: RetentionSettings) -> None:
    """Drop what is too old, from time to time and a bite at a time. Runs until cancelled."""
    while True:
        try:
            gone = await ledger.retention.forget(datetime.now(UTC), claim_days, kept)
        except StoreUnavailable as error:
            log.warning("old records stay for now", error=str(error))
            gone = 0
        await asyncio.sleep(NEXT_BITE_S if gone else FORGET_S)
