"""Every test of the store runs on a SQLite file and on a real PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from sqlalchemy.ext.asyncio import AsyncEngine

from calibration.store.engine import create_engine
from calibration.store.migrate import migrate
from tests.postgres import fresh_database, postgres

__all__ = ["postgres"]


@pytest_asyncio.fixture(params=["sqlite", "postgresql"])
async def empty(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[AsyncEngine]:
    """A database without tables."""
    if request.param == "sqlite":
        url = f"sqlite+aiosqlite:///{tmp_path / 'store.sqlite'}"
    else:
        url = await fresh_database(request.getfixturevalue("postgres"))
    engine = create_engine(url)
    yield engine
    await engine.dispose()


@pytest_asyncio.fixture
async def engine(empty: AsyncEngine) -> AsyncEngine:
    """A migrated store without rows."""
    await migrate(empty)
    return empty
