"""Rulings as they were recorded, and the versions and outcomes that they produced."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Row, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from consensus.ledger import tables
from consensus.ledger.claims import Key
from consensus.ledger.decisions import Decisions, Version, read_versions
from consensus.ledger.transactions import Transactions, to_the_end

T = tables.rulings.c


@dataclass(frozen=True)
class Arrived:
    """A ruling's record: ``digest`` of its value, so that the same ruling sent twice is one."""

    tenant: str
    request_id: str
    digest: str
    partition: int
    offset: int
    ruling: bytes

    @property
    def key(self) -> Key:
        return self.tenant, self.request_id


@dataclass(frozen=True)
class Effect:
    """What a ruling changes: the next version, an outcome, both or neither."""

    version: Version | None = None
    outcome: bytes | None = None


@dataclass(frozen=True)
class Recorded:
    """A recorded ruling with what it produced."""

    arrived: Arrived
    effect: Effect


Rule = Callable[[Sequence[Version], Sequence[Recorded]], Effect]
"""The versions of the request (oldest first, may be empty) and its rulings so far -> what the new one changes."""


class Rulings:
    """Recorded rulings. Every method is one transaction and raises StoreUnavailable."""

    def __init__(self, transactions: Transactions, decisions: Decisions) -> None:
        self._transactions = transactions
        self._decisions = decisions

    @to_the_end
    async def settle(self, arrived: Arrived, rule: Rule) -> Recorded:
        """Record a ruling with what ``rule`` says it changes, or return what is recorded of the same ruling.

        The request's claim is locked meanwhile, so that two rulings never make the same version. Whatever ``rule``
        raises leaves nothing behind.
        """
        async with self._transactions.begin("recording a ruling") as connection:
            await self._lock(connection, arrived.key)
            versions = await read_versions(connection, [arrived.key])
            recorded = await _read(connection, arrived.key, versions)
            for known in recorded:
                if known.arrived.digest == arrived.digest:
                    return known
            effect = rule(versions, recorded)
            if effect.version is not None:
                await self._decisions.insert(connection, [effect.version])
            await connection.execute(insert(tables.rulings).values(_row(arrived, effect)))
        return Recorded(arrived, effect)

    @to_the_end
    async def of(self, tenant: str, request_id: str) -> list[Recorded]:
        """The rulings on one request in the order of their arrival."""
        key = (tenant, request_id)
        async with self._transactions.read("reading rulings") as connection:
            return await _read(connection, key, await read_versions(connection, [key]))

    async def _lock(self, connection: AsyncConnection, key: Key) -> None:
        claims = tables.claims.c
        query = select(claims.closed).where(claims.tenant == key[0], claims.request_id == key[1]).with_for_update()
        await connection.execute(query)


async def _read(connection: AsyncConnection, key: Key, versions: Sequence[Version]) -> list[Recorded]:
    by_number = {version.version: version for version in versions}
    query = select(tables.rulings).where(T.tenant == key[0], T.request_id == key[1]).order_by(T.recorded_at, T.digest)
    return [_recorded(row, by_number.get(row.version)) for row in await connection.execute(query)]


def _recorded(row: Row[tuple[object, ...]], version: Version | None) -> Recorded:
    arrived = Arrived(row.tenant, row.request_id, row.digest, row.log_partition, row.log_offset, row.ruling)
    return Recorded(arrived, Effect(version, row.outcome))


def _row(arrived: Arrived, effect: Effect) -> dict[str, object]:
    return {
        "tenant": arrived.tenant,
        "request_id": arrived.request_id,
        "digest": arrived.digest,
        "log_partition": arrived.partition,
        "log_offset": arrived.offset,
        "ruling": arrived.ruling,
        "version": effect.version.version if effect.version else None,
        "outcome": effect.outcome,
        "recorded_at": datetime.now(UTC),
    }
