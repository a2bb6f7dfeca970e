"""Marks decisions as committed, after and beside their transaction; what a crash leaves the calibrator marks."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from consensus.ledger import Ledger
from consensus.ledger.decisions import VersionKey
from consensus.patience import patiently

WAITING = 10_000
"""Marks kept while the store is away; beyond it the oldest are left to the calibrator."""

BATCH = 500

PAUSE_S = 0.1
"""Between two writes: under load one of them marks what many transactions have committed."""


class Marks:
    """Versions to be marked; `run` writes them. Nothing waits for a mark."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._waiting: dict[VersionKey, None] = {}
        self._arrived = asyncio.Event()

    def add(self, versions: Iterable[VersionKey]) -> None:
        """Mark these soon."""
        for version in versions:
            self._waiting[version] = None
        while len(self._waiting) > WAITING:
            del self._waiting[next(iter(self._waiting))]
        self._arrived.set()

    async def run(self) -> None:
        """Write until cancelled."""
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            while self._waiting:
                await patiently(self._write, "marking decisions")
                await asyncio.sleep(PAUSE_S)

    async def flush(self) -> None:
        """Write what waits. Raises StoreUnavailable."""
        while self._waiting:
            await self._write()

    async def _write(self) -> None:
        batch = list(self._waiting)[:BATCH]
        await self._ledger.decisions.mark_committed(batch)
        for version in batch:
            self._waiting.pop(version, None)
