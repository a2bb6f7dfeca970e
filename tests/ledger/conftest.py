"""Every test of the ledger runs on a SQLite file and on a real PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from sqlalchemy.ext.asyncio import AsyncEngine

from calibration.store.engine import create_engine, metadata
from consensus.ledger import Ledger
from tests.postgres import fresh_database, postgres

__all__ = ["postgres"]


@pytest_asyncio.fixture(params=["sqlite", "postgresql"])
async def engine(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[AsyncEngine]:
    """A store with the ledger's tables and without rows."""
    if request.param == "sqlite":
        url = f"sqlite+aiosqlite:///{tmp_path / 'store.sqlite'}"
    else:
        url = await fresh_database(request.getfixturevalue("postgres"))
    made = create_engine(url)
    async with made.begin() as connection:
        await connection.run_sync(metadata.create_all)
    yield made
    await made.dispose()


@pytest.fixture
def ledger(engine: AsyncEngine) -> Ledger:
    """The ledger as the process ``a`` sees it."""
    return Ledger(engine, run="a")


@pytest.fixture
def other(engine: AsyncEngine) -> Ledger:
    """The same ledger as the process ``b`` sees it."""
    return Ledger(engine, run="b")
