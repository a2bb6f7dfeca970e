"""One bounded transaction on the store; whatever a driver raises becomes StoreUnavailable here and nowhere else.

A transaction must not be cancelled halfway: on SQLite the driver's thread goes on, gets the lock that nobody waits for
any more, and keeps it. So whoever may be cancelled calls methods that run `to_the_end`, and on SQLite no timer but the
engine's own ``busy_s`` ends the wait for a lock.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DataError, IntegrityError, ProgrammingError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlalchemy.schema import Table

from calibration.store.engine import reading
from consensus.errors import StoreUnavailable

P = ParamSpec("P")
R = TypeVar("R")

OUR_FAULT = (IntegrityError, DataError, ProgrammingError)
"""Errors that another try would not cure: they are bugs, or tables that were never migrated."""


_unfinished: set[asyncio.Future[Any]] = set()
"""Keeps alive what `to_the_end` runs: the event loop itself would not."""


def to_the_end(method: Callable[P, Coroutine[Any, Any, R]]) -> Callable[P, Coroutine[Any, Any, R]]:
    """Run a method in a task of its own; a caller that is cancelled leaves, the method goes on to its end."""

    @wraps(method)
    async def run(*args: P.args, **kwargs: P.kwargs) -> R:
        task = asyncio.create_task(method(*args, **kwargs), name=f"store-{method.__name__}")
        _unfinished.add(task)
        task.add_done_callback(_finished)
        return await asyncio.shield(task)

    return run


def _finished(task: asyncio.Task[Any]) -> None:
    _unfinished.discard(task)
    if not task.cancelled():
        task.exception()  # seen, also where the caller has left


class _Turns(AbstractAsyncContextManager[None]):
    """Lets one in at a time, first come, first served; TimeoutError for who has waited ``seconds``."""

    def __init__(self, seconds: float) -> None:
        self._lock = asyncio.Lock()
        self._seconds = seconds

    async def __aenter__(self) -> None:
        async with asyncio.timeout(self._seconds):
            await self._lock.acquire()

    async def __aexit__(self, *_: object) -> None:
        self._lock.release()


class Transactions:
    """Transactions of at most ``timeout_s`` seconds each, waiting for a connection included; on SQLite only the wait
    of a writer for those before it in this process."""

    def __init__(self, engine: AsyncEngine, timeout_s: float) -> None:
        self._engine = engine
        self._reading = reading(engine)
        alone = engine.dialect.name == "sqlite"
        self._timeout_s = None if alone else timeout_s
        # SQLite lets one writer in at a time, and whoever finds it busy sleeps for up to 100 ms before it looks again.
        self._writers: AbstractAsyncContextManager[None] = _Turns(timeout_s) if alone else nullcontext()

    def begin(self, doing: str) -> AbstractAsyncContextManager[AsyncConnection]:
        """Commit at the end, roll back on an error. Raises StoreUnavailable naming what was being done, never a URL."""
        return self._begin(self._engine, doing, self._timeout_s, self._writers)

    def read(self, doing: str, *, at_most_s: float = float("inf")) -> AbstractAsyncContextManager[AsyncConnection]:
        """Like `begin` for statements that change nothing: on SQLite it does not wait for writers.

        ``at_most_s`` is a tighter bound, where somebody else waits for what is read.
        """
        bound_s = None if self._timeout_s is None else min(self._timeout_s, at_most_s)
        return self._begin(self._reading, doing, bound_s, nullcontext())

    @asynccontextmanager
    async def _begin(
        self, engine: AsyncEngine, doing: str, bound_s: float | None, turn: AbstractAsyncContextManager[None]
    ) -> AsyncIterator[AsyncConnection]:
        try:
            async with asyncio.timeout(bound_s), turn, engine.begin() as connection:
                yield connection
        except OUR_FAULT:
            raise
        except (SQLAlchemyError, OSError) as error:
            raise StoreUnavailable(f"the store failed while {doing}: {type(error).__name__}") from None

    def insert(self, table: Table) -> sqlite.Insert | postgresql.Insert:
        """An insert of this database's dialect, with its ON CONFLICT clauses."""
        if self._engine.dialect.name == "sqlite":
            return sqlite.insert(table)
        return postgresql.insert(table)
