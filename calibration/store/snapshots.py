"""Published snapshots, as the snapshots topic had them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from calibration.store import tables
from calibration.store.writing import insert_or_replace


@dataclass(frozen=True)
class SnapshotRow:
    """One published snapshot. The position is that of its latest publication."""

    version: str
    name: str
    fitted_at: datetime
    labels: int
    log_partition: int
    log_offset: int
    raw: bytes


async def put(connection: AsyncConnection, row: SnapshotRow) -> None:
    """Store a publication; of a version published again, the later position stays."""
    table = tables.snapshots
    stored = await connection.scalar(select(table.c.log_offset).where(table.c.version == row.version))
    if stored is None or stored < row.log_offset:
        await insert_or_replace(connection, table, [vars(row)])


async def raw(connection: AsyncConnection, version: str) -> bytes | None:
    """The JSON of one version, ``None`` where it was never published."""
    found: bytes | None = await connection.scalar(
        select(tables.snapshots.c.raw).where(tables.snapshots.c.version == version)
    )
    return found


async def current(connection: AsyncConnection, name: str) -> bytes | None:
    """The JSON of the version of this name that was published last."""
    table = tables.snapshots
    newest = select(table.c.raw).where(table.c.name == name).order_by(table.c.log_offset.desc()).limit(1)
    found: bytes | None = await connection.scalar(newest)
    return found


async def history(connection: AsyncConnection, name: str) -> list[str]:
    """Versions of this name, the last published first."""
    table = tables.snapshots
    query = select(table.c.version).where(table.c.name == name).order_by(table.c.log_offset.desc())
    return list((await connection.execute(query)).scalars())
