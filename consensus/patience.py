"""Trying again what may work later, for as long as it takes or until a deadline; hearing out what was begun."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
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

    def fits(self, until: float | None) -> bool:
        """Whether the next delay ends by ``until`` (seconds of the running loop's clock)."""
        return until is None or asyncio.get_running_loop().time() + self._next_s <= until

    async def wait(self) -> None:
        """Wait out the next delay."""
        delay, self._next_s = self._next_s, min(2 * self._next_s, LONGEST_S)
        await asyncio.sleep(delay)


async def patiently(call: Callable[[], Awaitable[R]], doing: str, *, until: float | None = None) -> R:
    """Repeat ``call`` while it raises Retry, every failure logged; only cancellation ends it otherwise.

    With ``until`` (seconds of the running loop's clock) the last Retry is raised when no more delay fits.
    """
    backoff = Backoff()
    while True:
        try:
            return await call()
        except Retry as error:
            log.warning("trying again", doing=doing, error=str(error))
            if not backoff.fits(until):
                raise
        await backoff.wait()


async def to_the_last(calls: Iterable[Awaitable[R]]) -> list[R]:
    """Await calls side by side; their results in order. The first error is raised once all have ended: cancelling the
    others would lose what they have paid for.
    """
    ended = await asyncio.gather(*calls, return_exceptions=True)
    results: list[R] = []
    for one in ended:
        if isinstance(one, BaseException):
            raise one
        results.append(one)
    return results
