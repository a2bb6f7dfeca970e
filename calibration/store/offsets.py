"""How far each topic partition has been ingested: stored with the rows, in the same transaction."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from calibration.store import tables
from calibration.store.writing import insert_or_replace

Place = tuple[str, int]
"""(topic, partition)."""


async def read(connection: AsyncConnection) -> dict[Place, int]:
    """The next offset to ingest of every partition that has been read."""
    rows = await connection.execute(select(tables.offsets))
    return {(row.topic, row.log_partition): row.next_offset for row in rows}


async def write(connection: AsyncConnection, following: Mapping[Place, int]) -> None:
    """Set the next offsets to ingest."""
    rows = [
        {"topic": topic, "log_partition": partition, "next_offset": offset}
        for (topic, partition), offset in sorted(following.items())
    ]
    await insert_or_replace(connection, tables.offsets, rows)
