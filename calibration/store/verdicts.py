"""Verdict records, chained per partition in offset order."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import and_, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from calibration.store import chain, tables, verification
from calibration.store.writing import among, chunks, insert_new


@dataclass(frozen=True)
class VerdictRow:
    """One record of the verdicts topic; without tenant, id, version and time where it could not be read.

    ``erased``: its bytes are chained but not kept.
    """

    log_partition: int
    log_offset: int
    tenant: str | None
    request_id: str | None
    version: int | None
    decided_at: datetime | None
    raw: bytes
    erased: bool = False

    @property
    def key(self) -> tuple[str, str, int] | None:
        """(tenant, request id, version), where the record could be read."""
        if self.tenant is None or self.request_id is None or self.version is None:
            return None
        return self.tenant, self.request_id, self.version

    def columns(self) -> dict[str, object]:
        """The row as the table has it, but for its link of the chain."""
        plain = {name: value for name, value in vars(self).items() if name != "erased"}
        return plain | {"raw": None if self.erased else self.raw}


class Recorded(NamedTuple):
    """A verdict record as stored."""

    log_partition: int
    log_offset: int
    version: int
    raw: bytes | None
    digest: bytes
    chain: bytes


async def append(connection: AsyncConnection, rows: Sequence[VerdictRow]) -> None:
    """Chain and store records of one or more partitions, each partition's in ascending offset order.

    The caller has checked that the records follow what is stored, and holds the ingestion lock.
    """
    heads: dict[int, bytes] = {}
    linked = []
    for row in rows:
        partition = row.log_partition
        previous = heads[partition] if partition in heads else await _head(connection, partition)
        digest = chain.digest(row.raw)
        heads[partition] = chain.step(previous, row.log_offset, digest)
        linked.append(row.columns() | {"digest": digest, "chain": heads[partition]})
    await insert_new(connection, tables.verdicts, linked)


async def _head(connection: AsyncConnection, partition: int) -> bytes:
    table = tables.verdicts
    chained = select(table.c.chain).where(table.c.log_partition == partition)
    head: bytes | None = await connection.scalar(chained.order_by(table.c.log_offset.desc()).limit(1))
    return chain.genesis(partition) if head is None else head


async def of_request(connection: AsyncConnection, tenant: str, request_id: str) -> list[Recorded]:
    """All records of one request in the order of their versions, repeats included."""
    table = tables.verdicts
    query = (
        select(*(table.c[name] for name in Recorded._fields))
        .where(and_(table.c.tenant == tenant, table.c.request_id == request_id))
        .order_by(table.c.version, table.c.log_partition, table.c.log_offset)
    )
    return [Recorded._make(row) for row in await connection.execute(query)]


class Changed(NamedTuple):
    """A version that was published with different contents, and when the last of them was decided."""

    tenant: str
    request_id: str
    version: int
    decided_at: datetime


async def changed(connection: AsyncConnection, request_ids: Iterable[str]) -> list[Changed]:
    """The versions of these requests of which the topic holds more than one content."""
    table = tables.verdicts
    version = (table.c.tenant, table.c.request_id, table.c.version)
    several = select(*version, func.max(table.c.decided_at, type_=tables.UtcTime)).group_by(*version)
    several = several.having(func.count(table.c.digest.distinct()) > 1)
    found = []
    for ids in chunks(request_ids):
        rows = await connection.execute(several.where(among(connection, table.c.request_id, ids)))
        found += [Changed._make(row) for row in rows]
    return found


async def first_broken(connection: AsyncConnection) -> dict[int, int]:
    """Walk every chain; the offset of the first record that does not verify, by partition. Empty when all do."""
    walked = await verification.walk(connection, {})
    return {one.partition: one.fault.offset for one in walked if one.fault is not None}
