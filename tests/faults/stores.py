"""PostgreSQL as the fault tests hurt it: away, silent, slow, or refusing every write."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from sqlalchemy import text

from consensus.demo.processes import free_port
from tests.faults.proxy import Proxy, proxy
from tests.faults.rig import Rig, rig
from tests.kafka.cluster import Cluster
from tests.postgres import fresh_database


@asynccontextmanager
async def behind(
    kafka: Cluster, postgres: str, folder: Path, prefix: str, *, timeout_s: float = 2.0
) -> AsyncIterator[tuple[Rig, Proxy]]:
    """A rig whose processes reach PostgreSQL through a proxy; the test and its oracle do not.

    ``timeout_s`` is the store's bound on one transaction.
    """
    host, port = postgres.split(":")
    url = await fresh_database(postgres)
    between = free_port()
    through = url.replace(postgres, f"127.0.0.1:{between}")
    async with (
        proxy(between, (host, int(port)), framed=False) as gate,
        rig(folder, kafka.bootstrap, prefix, store=url) as house,
    ):
        house.document["store"] = {"url": through, "timeout_s": timeout_s}
        yield house, gate


async def refuse_writes(house: Rig, database: str, *, on: bool) -> None:
    """Make the database read-only or not, and end the sessions that do not know it yet."""
    async with house.engine.connect() as connection:
        await connection.execute(
            text(f"ALTER DATABASE {database} SET default_transaction_read_only = {str(on).lower()}")
        )
        await connection.commit()
        others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
        await connection.execute(text(f"{others} AND pid <> pg_backend_pid()"))
