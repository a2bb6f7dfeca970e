"""The packaged revisions make exactly the tables that the program works with, on both databases."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, inspect, text
from sqlalchemy.ext.asyncio import AsyncEngine

from calibration.store import tables
from calibration.store.engine import create_engine, metadata
from calibration.store.migrate import StoreOutdated, check, head, migrate
from consensus.ledger import tables as ledger


def _differences(connection: Connection) -> list[Any]:
    context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
    return list(compare_metadata(context, metadata))


async def test_revisions_make_exactly_the_metadata(engine: AsyncEngine) -> None:
    """Tables, columns, types, nullability and indexes agree."""
    async with engine.connect() as connection:
        assert await connection.run_sync(_differences) == []
        names = await connection.run_sync(lambda sync: inspect(sync).get_table_names())
    assert set(names) == {*metadata.tables, "alembic_version"}
    assert ledger.claims.name in names


async def test_a_missing_index_would_be_noticed(engine: AsyncEngine) -> None:
    """The comparison above is able to fail."""
    async with engine.begin() as connection:
        await connection.execute(text("DROP INDEX signals_request"))
        assert "add_index" in [difference[0] for difference in await connection.run_sync(_differences)]


async def test_migrating_again_changes_nothing(engine: AsyncEngine) -> None:
    """The second call finds nothing to do, and the check passes."""
    assert await migrate(engine) == head()
    await check(engine)


async def test_an_empty_store_is_refused(empty: AsyncEngine) -> None:
    """Without tables the error names the command that makes them."""
    with pytest.raises(StoreOutdated, match="consensus store migrate"):
        await check(empty)


async def test_a_newer_store_is_refused_and_left_alone(engine: AsyncEngine) -> None:
    """A revision that this program does not know is neither worked on nor migrated."""
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = 'from-the-future'"))
    with pytest.raises(StoreOutdated, match="newer than this program"):
        await check(engine)
    with pytest.raises(StoreOutdated, match="newer than this program"):
        await migrate(engine)


async def test_several_processes_may_migrate_at_once(empty: AsyncEngine) -> None:
    """One of them does the work, the others find it done."""
    engines = [create_engine(empty.url.render_as_string(hide_password=False)) for _ in range(8)]
    try:
        assert await asyncio.gather(*(migrate(engine) for engine in engines)) == [head()] * 8
    finally:
        for engine in engines:
            await engine.dispose()
    await check(empty)


async def test_a_path_with_a_percent_sign_works(tmp_path: Path) -> None:
    """Alembic's configuration interpolates percent signs; a store's path may hold one."""
    engine = create_engine(f"sqlite+aiosqlite:///{tmp_path / '100%.sqlite'}")
    await migrate(engine)
    async with engine.connect() as connection:
        assert (await connection.execute(tables.alarms.select())).all() == []
    await engine.dispose()
