"""How many requests may be decided at the same time by this process."""

from __future__ import annotations

import asyncio


class Slots:
    """``total`` places; waiting is first come, first served."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._free = total
        self._places = asyncio.Semaphore(total)

    @property
    def used(self) -> int:
        return self._total - self._free

    @property
    def full(self) -> bool:
        return self._places.locked()

    async def take(self, most: int) -> int:
        """Wait for one place, then take up to ``most`` of those that are free; returns how many."""
        await self._places.acquire()
        taken = 1
        while taken < most and not self._places.locked():
            await self._places.acquire()
            taken += 1
        self._free -= taken
        return taken

    def give(self, count: int = 1) -> None:
        """Give places back."""
        self._free += count
        for _ in range(count):
            self._places.release()
