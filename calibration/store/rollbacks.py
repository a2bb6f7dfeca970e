"""Rollbacks as the snapshots topic had them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from calibration.rollback import Rollback
from calibration.store import tables
from calibration.store.writing import insert_new


@dataclass(frozen=True)
class RollbackRow:
    """One record of a rollback and where it stands on the topic."""

    log_partition: int
    log_offset: int
    rollback: Rollback

    def columns(self) -> dict[str, object]:
        """The row as the table has it."""
        plain = {name: getattr(self.rollback, name) for name in Rollback.model_fields}
        return plain | {"log_partition": self.log_partition, "log_offset": self.log_offset}


async def add(connection: AsyncConnection, rows: Iterable[RollbackRow]) -> None:
    """Store the records that are new."""
    await insert_new(connection, tables.rollbacks, (row.columns() for row in rows))


async def history(connection: AsyncConnection) -> list[Rollback]:
    """Every rollback, oldest first."""
    table = tables.rollbacks
    rows = await connection.execute(select(table).order_by(table.c.log_offset))
    names = tuple(Rollback.model_fields)
    return [Rollback.model_validate({name: getattr(row, name) for name in names}) for row in rows]
