"""Decisions: the exact bytes that are published, stored first, so that a redelivered record publishes them again."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Row, and_, bindparam, delete, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from calibration.store.writing import among_rows
from consensus.ledger import tables
from consensus.ledger.claims import Asked, Key
from consensus.ledger.grouped import Grouped
from consensus.ledger.transactions import Transactions, to_the_end

T = tables.decisions.c
C = tables.claims.c

VersionKey = tuple[str, str, int]
"""Tenant, request id and version."""

NEWEST = 2**31 - 1
"""No version is higher."""

_held = tuple_(C.tenant, C.request_id, C.log_partition, C.log_offset).in_(bindparam("held", expanding=True))
_locked = select(C.tenant, C.request_id).where(_held, C.closed.is_(False)).order_by(C.tenant, C.request_id)
GIVE_UP = (
    update(tables.claims)
    # Locked in the order of the ids: two processes never wait for one another in a circle.
    .where(tuple_(C.tenant, C.request_id).in_(_locked.with_for_update()))
    .values(run=None, finishing=None)
    .returning(C.tenant, C.request_id, C.log_partition, C.log_offset)
)
VERSIONS = (
    select(tables.decisions)
    .where(tuple_(T.tenant, T.request_id).in_(bindparam("keys", expanding=True)), T.version <= bindparam("most"))
    .order_by(T.tenant, T.request_id, T.version)
)


@dataclass(frozen=True)
class Version:
    """One version of a verdict and what is published with it, as bytes."""

    tenant: str
    request_id: str
    version: int
    verdict: bytes
    signal: bytes | None = None
    review: bytes | None = None
    outcome: bytes | None = None
    request: bytes | None = None
    answers: bytes | None = None
    committed: bool = False

    @property
    def key(self) -> Key:
        return self.tenant, self.request_id

    @property
    def version_key(self) -> VersionKey:
        return self.tenant, self.request_id, self.version


class Decisions:
    """Stored versions. Every method raises StoreUnavailable."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions
        self._keeps: Grouped[tuple[Asked, Version], Version | None] = Grouped(self._keep)
        self._firsts: Grouped[Key, Version | None] = Grouped(self._first)

    async def keep(self, asked: Asked, version: Version) -> Version | None:
        """Store the first version of the record that holds the claim.

        Returns what is stored, which is another process's decision where that one was first, and None where the claim
        has passed to another record.
        """
        return await self._keeps.put((asked, version))

    async def first(self, key: Key) -> Version | None:
        """The first version of an id."""
        return await self._firsts.put(key)

    async def latest(self, keys: Collection[Key]) -> dict[Key, Version]:
        """The newest stored versions of these ids, committed or not."""
        found = await self._select(keys)
        return {version.key: version for version in found}

    async def history(self, tenant: str, request_id: str) -> list[Version]:
        """All versions of one id, oldest first."""
        return await self._select([(tenant, request_id)])

    @to_the_end
    async def mark_committed(self, versions: Collection[VersionKey]) -> None:
        """Note that readers have seen these versions; their answers, kept with the decision, leave the ledger."""
        if not versions:
            return
        wanted = sorted(versions)
        ids = sorted({(tenant, request_id) for tenant, request_id, _ in wanted})
        paid = tables.answers.c
        async with self._transactions.begin("marking decisions") as connection:
            named = among_rows(connection, (T.tenant, T.request_id, T.version), wanted)
            unmarked = and_(named, T.committed_at.is_(None))
            await connection.execute(update(tables.decisions).where(unmarked).values(committed_at=datetime.now(UTC)))
            of_ids = among_rows(connection, (paid.tenant, paid.request_id), ids)
            await connection.execute(delete(tables.answers).where(of_ids))

    @to_the_end
    async def _select(self, keys: Collection[Key], *, most: int = NEWEST) -> list[Version]:
        if not keys:
            return []
        async with self._transactions.read("reading decisions") as connection:
            return await read_versions(connection, keys, most=most)

    async def _first(self, keys: Sequence[Key]) -> Sequence[Version | None]:
        found = {version.key: version for version in await self._select(set(keys), most=1)}
        return [found.get(key) for key in keys]

    async def _keep(self, batch: Sequence[tuple[Asked, Version]]) -> Sequence[Version | None]:
        async with self._transactions.begin("storing decisions") as connection:
            held = await _given_up(connection, [asked for asked, _ in batch])
            ours = {asked.key: version for asked, version in batch if held.get(asked.key) == _place(asked)}
            added = await self.insert(connection, list(ours.values()))
            earlier = ours.keys() - added
            stored = await read_versions(connection, earlier, most=1) if earlier else []
        kept = ours | {version.key: version for version in stored}
        return [kept.get(asked.key) if held.get(asked.key) == _place(asked) else None for asked, _ in batch]

    async def insert(self, connection: AsyncConnection, versions: Sequence[Version]) -> set[Key]:
        """Add versions inside a transaction of the caller; one that exists stays as it is. Returns the ids added."""
        if not versions:
            return set()
        now = datetime.now(UTC)
        insert = self._transactions.insert(tables.decisions).on_conflict_do_nothing().returning(T.tenant, T.request_id)
        rows = await connection.execute(insert, [_row(version) | {"stored_at": now} for version in versions])
        return {(row.tenant, row.request_id) for row in rows}


def _place(asked: Asked) -> tuple[int, int]:
    return asked.partition, asked.offset


async def _given_up(connection: AsyncConnection, batch: Sequence[Asked]) -> dict[Key, tuple[int, int]]:
    """End the work on the claims that these records hold; returns the record of each, partition and offset."""
    rows = await connection.execute(GIVE_UP, {"held": sorted({(*asked.key, *_place(asked)) for asked in batch})})
    return {(row.tenant, row.request_id): (row.log_partition, row.log_offset) for row in rows}


async def read_versions(connection: AsyncConnection, keys: Collection[Key], *, most: int = NEWEST) -> list[Version]:
    """Versions up to ``most`` of these ids inside a transaction of the caller, oldest first."""
    rows = await connection.execute(VERSIONS, {"keys": sorted(keys), "most": most})
    return [_version(row) for row in rows]


def _version(row: Row[Any]) -> Version:
    return Version(
        tenant=row.tenant,
        request_id=row.request_id,
        version=row.version,
        verdict=row.verdict,
        signal=row.signal,
        review=row.review,
        outcome=row.outcome,
        request=row.request,
        answers=row.answers,
        committed=row.committed_at is not None,
    )


def _row(version: Version) -> dict[str, Any]:
    return {
        "tenant": version.tenant,
        "request_id": version.request_id,
        "version": version.version,
        "verdict": version.verdict,
        "signal": version.signal,
        "review": version.review,
        "outcome": version.outcome,
        "request": version.request,
        "answers": version.answers,
    }
