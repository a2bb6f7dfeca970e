"""Trying again, for as long as it takes, what may work later."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog

from consensus.errors import Retry

R = TypeVar("R")

FIRST_S = 0.1
LONGEST_S = 5.0

log = structlog.get_logger()


class Backoff:
    """Doubling delays between tries, bounded by `LONGEST_S`."""

    def __init__(self) -> None:
        self._next_s = FIRST_S

    def reset(self) -> None:
        """The last try worked."""
        self._next_s = FIRST_S

    async def wait(self) -> None:
        """Wait out the next delay."""
        delay, self._next_s = self._next_s, min(2 * self._next_s, LONGEST_S)
        await asyncio.sleep(delay)


async def patiently(call: Callable[[], Awaitable[R]], doing: str) -> R:
    """Repeat ``call`` while it raises Retry; only cancellation ends it otherwise. Every failure is logged."""
    backoff = Backoff()
    while True:
        try:
            return await call()
        except Retry as error:
            log.warning("trying again", doing=doing, error=str(error))
        await backoff.wait()
