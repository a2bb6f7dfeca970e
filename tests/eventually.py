"""Polling for the truth with a deadline, in place of sleeping and hoping."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable


async def eventually(holds: Callable[[], object | Awaitable[object]], *, seconds: float = 60.0) -> None:
    """Return once ``holds()`` is true; TimeoutError after ``seconds``."""
    async with asyncio.timeout(seconds):
        while True:
            seen = holds()
            if inspect.isawaitable(seen):
                seen = await seen
            if seen:
                return
            await asyncio.sleep(0.01)
