"""Group commit: whatever is asked for while one write is under way goes into the next one together."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")


class Grouped(Generic[T, R]):
    """Turns single puts into batched writes, one write at a time.

    ``write`` gets up to ``most`` items and returns one result for each, in order; when it raises, every waiting put of
    that batch raises the same. The queue needs no bound of its own: each waiting caller holds one item.

    A batch may be too much for the bound of a transaction, and would be so again however often its callers try: after
    a failure at most half as many items go together, after each success one more.
    """

    def __init__(self, write: Callable[[Sequence[T]], Awaitable[Sequence[R]]], *, most: int = 200) -> None:
        self._write = write
        self._most = most
        self._room = most
        self._queue: list[tuple[T, asyncio.Future[R]]] = []
        self._writer: asyncio.Task[None] | None = None

    async def put(self, item: T) -> R:
        """Write one item; returns once it is durable."""
        future: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._queue.append((item, future))
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._drain(), name="ledger-write")
        return await future

    async def _drain(self) -> None:
        while self._queue:
            batch, self._queue = self._queue[: self._room], self._queue[self._room :]
            try:
                results = await self._write([item for item, _ in batch])
            except BaseException as error:
                self._room = max(1, len(batch) // 2)
                self._fail(batch, error)
                if not isinstance(error, Exception):
                    raise
            else:
                self._room = min(self._most, self._room + 1)
                for (_, future), result in zip(batch, results, strict=True):
                    if not future.done():
                        future.set_result(result)

    def _fail(self, batch: list[tuple[T, asyncio.Future[R]]], error: BaseException) -> None:
        for _, future in batch:
            if future.done():
                continue
            if isinstance(error, Exception):
                future.set_exception(error)
            else:
                future.cancel()
