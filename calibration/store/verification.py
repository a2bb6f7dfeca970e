"""Walking the stored audit chains: does every record verify, and is none gone?"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from calibration.store import chain, tables
from calibration.store.chain import Fault, Link

READ_ROWS = 1_000

T = tables.verdicts.c


@dataclass
class Walked:
    """One partition's chain.

    ``records`` were walked, of which ``erased`` have no contents any more; ``head`` is the last offset with its hash in
    hex, by which a copy of the chain can be recognised; ``fault`` the first record that does not verify.
    """

    partition: int
    records: int = 0
    erased: int = 0
    head: tuple[int, str] | None = None
    fault: Fault | None = None


async def walk(connection: AsyncConnection, ingested: Mapping[int, int]) -> list[Walked]:
    """Walk every chain. ``ingested``: by partition the offset after the last record that was ever chained."""
    stored = await connection.execute(select(T.log_partition).distinct())
    partitions = sorted({*stored.scalars(), *ingested})
    return [await _walk(connection, partition, ingested.get(partition, 0)) for partition in partitions]


async def links(connection: AsyncConnection, partition: int, first: int, after: int) -> dict[int, Link]:
    """The stored links of one partition with ``first`` ≤ offset < ``after``, by offset."""
    query = select(T.log_offset, T.digest, T.chain, T.raw).where(
        T.log_partition == partition, T.log_offset >= first, T.log_offset < after
    )
    return {row.log_offset: Link._make(row) for row in await connection.execute(query)}


async def head_before(connection: AsyncConnection, partition: int, offset: int) -> bytes:
    """The chain's hash before the record at ``offset``."""
    before = select(T.chain).where(T.log_partition == partition, T.log_offset < offset)
    found: bytes | None = await connection.scalar(before.order_by(T.log_offset.desc()).limit(1))
    return chain.genesis(partition) if found is None else found


async def last_offset(connection: AsyncConnection, partition: int) -> int | None:
    """Offset of the newest link of a partition."""
    found: int | None = await connection.scalar(select(func.max(T.log_offset)).where(T.log_partition == partition))
    return found


async def _walk(connection: AsyncConnection, partition: int, ingested: int) -> Walked:
    found, walker = Walked(partition), chain.Walk(partition)
    query = select(tables.verdicts).where(T.log_partition == partition).order_by(T.log_offset)
    async with connection.stream(query) as result:
        async for rows in result.partitions(READ_ROWS):
            for row in rows:
                if found.fault is None and walker.verifies(Link(row.log_offset, row.digest, row.chain, row.raw)):
                    found.fault = _misnamed(row)
                found.fault = found.fault or walker.fault
                found.records += 1
                found.erased += row.raw is None
                found.head = (row.log_offset, row.chain.hex())
    last = -1 if found.head is None else found.head[0]
    if found.fault is None and last < ingested - 1:
        found.fault = Fault(ingested - 1, chain.CUT_OFF)
    return found


def _misnamed(row: Row[Any]) -> Fault | None:
    """The columns by which a record is found are not chained; they must say what the record itself says."""
    if row.raw is None or row.request_id is None:
        return None
    said = json.loads(row.raw)
    named = (said["tenant"], said["request_id"], said["version"])
    return None if named == (row.tenant, row.request_id, row.version) else Fault(row.log_offset, chain.MISNAMED)
