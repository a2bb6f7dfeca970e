"""One bounded transaction on the store; whatever a driver raises becomes StoreUnavailable here and nowhere else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DataError, IntegrityError, ProgrammingError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlalchemy.schema import Table

from calibration.store.engine import reading
from consensus.errors import StoreUnavailable

OUR_FAULT = (IntegrityError, DataError, ProgrammingError)
"""Errors that another try would not cure: they are bugs, or tables that were never migrated."""


class Transactions:
    """Transactions of at most ``timeout_s`` seconds each, waiting for a connection included."""

    def __init__(self, engine: AsyncEngine, timeout_s: float) -> None:
        self._engine = engine
        self._reading = reading(engine)
        self._timeout_s = timeout_s

    def begin(self, doing: str) -> AbstractAsyncContextManager[AsyncConnection]:
        """Commit at the end, roll back on an error. Raises StoreUnavailable naming what was being done, never a URL."""
        return self._begin(self._engine, doing)

    def read(self, doing: str) -> AbstractAsyncContextManager[AsyncConnection]:
        """Like `begin` for statements that change nothing: on SQLite it does not wait for writers."""
        return self._begin(self._reading, doing)

    @asynccontextmanager
    async def _begin(self, engine: AsyncEngine, doing: str) -> AsyncIterator[AsyncConnection]:
        try:
            async with asyncio.timeout(self._timeout_s), engine.begin() as connection:
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
