"""The one SQLAlchemy metadata and how engines are made: SQLite by default, PostgreSQL in production."""

from __future__ import annotations

import asyncio
import sqlite3
from functools import partial
from typing import Any

from sqlalchemy import MetaData, event
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

metadata = MetaData()
"""Tables of the calibration store and of the ledger; migrations live in calibration/store/migrations."""

IDLE_MS = 15_000
"""PostgreSQL ends a session that does nothing inside a transaction for so long: frozen, it would keep its locks."""

RETRY_S = 0.05
"""Pause between two tries to change a busy SQLite file to WAL."""


def create_engine(url: str, *, pool_size: int = 5, busy_s: float = 20.0) -> AsyncEngine:
    """An async engine for ``sqlite+aiosqlite:///…`` or ``postgresql+asyncpg://…``.

    SQLite is opened in WAL mode with a busy timeout, so that worker, gateway and calibrator may share one file; each of
    its transactions begins IMMEDIATE, because a read that turns into a write fails at once instead of waiting.
    ``busy_s`` is how long SQLite waits for another writer; its thread cannot be interrupted by a shorter timeout.
    """
    if not url.startswith("sqlite"):
        return create_async_engine(
            url,
            pool_size=pool_size,
            max_overflow=pool_size,
            pool_pre_ping=True,
            connect_args={"server_settings": {"idle_in_transaction_session_timeout": str(IDLE_MS)}},
        )
    engine = create_async_engine(url, connect_args={"timeout": busy_s})
    event.listen(engine.sync_engine, "connect", partial(_sqlite_pragmas, busy_s))
    event.listen(engine.sync_engine, "begin", _sqlite_begin)
    return engine


def reading(engine: AsyncEngine) -> AsyncEngine:
    """The same engine for transactions that only read: on SQLite they neither wait for a writer nor hold one up."""
    return engine.execution_options(reading=True)


def _sqlite_pragmas(busy_s: float, connection: Any, _record: Any) -> None:
    connection.isolation_level = None
    cursor = connection.cursor()
    _write_ahead(connection, cursor, busy_s)
    for pragma in ("synchronous=NORMAL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _write_ahead(connection: Any, cursor: Any, busy_s: float) -> None:
    """Change the file to WAL; SQLite does not apply its busy timeout to this step, so two first openers would clash."""
    for attempts_left in reversed(range(int(busy_s / RETRY_S) + 1)):
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or not attempts_left:
                raise
            connection.run_async(lambda _: asyncio.sleep(RETRY_S))
        else:
            return


def _sqlite_begin(connection: Any) -> None:
    reading = connection.get_execution_options().get("reading", False)
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")
