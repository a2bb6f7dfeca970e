"""Bring a store to the schema of this program, and refuse to work on any other."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, func, select
from sqlalchemy.ext.asyncio import AsyncEngine

MIGRATIONS = Path(__file__).with_name("migrations")

MIGRATE_LOCK = 0x6D696772
"""Key of PostgreSQL's advisory lock, any constant of ours."""


class StoreOutdated(Exception):
    """The store has another schema than this program; the message says what to do."""


async def migrate(engine: AsyncEngine) -> str:
    """Upgrade the store to the newest revision, in one transaction, and return that revision.

    Several processes may call it at once: the first does the work. A store of a newer program is left alone and raises
    StoreOutdated.
    """
    async with engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            await connection.execute(select(func.pg_advisory_xact_lock(MIGRATE_LOCK)))
        await connection.run_sync(_upgrade)
    return head()


async def check(engine: AsyncEngine) -> None:
    """Raise StoreOutdated unless the store is exactly at this program's revision."""
    async with engine.connect() as connection:
        found = await connection.run_sync(_revision)
    if found is None:
        raise StoreOutdated("the store has no tables yet: run `consensus store migrate`")
    if found not in _known():
        raise StoreOutdated(f"the store is at revision {found}, newer than this program: upgrade the program")
    if found != head():
        raise StoreOutdated(f"the store is at revision {found}, older than {head()}: run `consensus store migrate`")


def head() -> str:
    """The revision that this program works with."""
    found = ScriptDirectory.from_config(_config()).get_current_head()
    if found is None:
        raise StoreOutdated("no revisions are packaged with this program: install it again")
    return found


def _upgrade(connection: Connection) -> None:
    found = _revision(connection)
    if found is not None and found not in _known():
        raise StoreOutdated(f"the store is at revision {found}, newer than this program: upgrade the program")
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _known() -> set[str]:
    return {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    return config
