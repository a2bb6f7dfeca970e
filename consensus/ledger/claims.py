"""Claims: which record of the requests topic owns an id, and what another record with that id must do."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from itertools import groupby
from typing import Any

from sqlalchemy import Row, and_, bindparam, delete, or_, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from consensus.ledger import tables
from consensus.ledger.grouped import Grouped
from consensus.ledger.transactions import Transactions, to_the_end

Key = tuple[str, str]
"""Tenant and request id."""

T = tables.claims.c

BITE = 1_000
"""Ids in one statement."""

LANES = 16
"""Batches of records that are claimed in one transaction."""


@dataclass(frozen=True)
class Asked:
    """A record of the requests topic that wants its id."""

    tenant: str
    request_id: str
    payload_hash: str
    partition: int
    offset: int

    @property
    def key(self) -> Key:
        return self.tenant, self.request_id


@dataclass(frozen=True)
class Claim:
    """The state of an id; columns as in `tables.claims`. ``decided``: its first version is stored."""

    tenant: str
    request_id: str
    payload_hash: str
    partition: int
    offset: int
    run: str | None = None
    finishing: str | None = None
    crashes: int = 0
    closed: bool = False
    decided: bool = False

    def owned_by(self, asked: Asked) -> bool:
        return (self.partition, self.offset) == (asked.partition, asked.offset)


@dataclass(frozen=True)
class Batch:
    """Records that ask together; ``gone`` as in `judge`."""

    asked: tuple[Asked, ...]
    now: datetime
    gone: frozenset[str]


@dataclass(frozen=True)
class Release:
    """What `Claims.release` was asked for."""

    partitions: tuple[int, ...] | None
    finishing: tuple[Key, ...]


class Standing(StrEnum):
    """What the record that asked must do."""

    NEW = "new"  # decide it: nothing was begun for it
    MINE = "mine"  # decide it: answers may be recorded
    STORED = "stored"  # its own decision is stored: publish those bytes
    REPEAT = "repeat"  # another record's decision is stored: repeat its verdict
    WAIT = "wait"  # somebody is deciding it: ask again later
    CONFLICT = "conflict"  # the id is taken by another payload
    POISON = "poison"  # too many processes died over it


def _slices(keys: Sequence[Key], size: int) -> Iterator[Sequence[Key]]:
    """Slices of at most ``size``."""
    for start in range(0, len(keys), size):
        yield keys[start : start + size]


def judge(asked: Asked, claim: Claim, *, run: str, poison: int, gone: Collection[str] = ()) -> tuple[Standing, Claim]:
    """What ``asked`` must do given the claim on its id, and the claim as it is afterwards.

    ``run`` is the asking process, ``poison`` the number of crashes that make a record a dead letter, ``gone`` the
    processes that promised to finish their calls and are known to have died.
    """
    own = claim.owned_by(asked)
    if claim.closed and not own:
        return Standing.NEW, _taken_over(asked, run)
    if claim.payload_hash != asked.payload_hash:
        return Standing.CONFLICT, claim
    if claim.decided:
        return (Standing.STORED if own else Standing.REPEAT), claim
    if not own:
        return Standing.WAIT, claim
    if run in (claim.run, claim.finishing):
        return Standing.MINE, replace(claim, run=run, finishing=None)
    if claim.finishing is not None and claim.finishing not in gone:
        return Standing.WAIT, claim
    unclean = claim.run is not None or claim.finishing is not None
    crashes = claim.crashes + unclean
    if crashes >= poison:
        return Standing.POISON, replace(claim, run=None, finishing=None, crashes=crashes, closed=True)
    return Standing.MINE, replace(claim, run=run, finishing=None, crashes=crashes, closed=False)


def _taken_over(asked: Asked, run: str) -> Claim:
    return Claim(asked.tenant, asked.request_id, asked.payload_hash, asked.partition, asked.offset, run=run)


class Claims:
    """Claims of one process ``run``. Every method raises StoreUnavailable, and nothing of it is half done then."""

    def __init__(self, transactions: Transactions, *, run: str, poison: int) -> None:
        self._transactions = transactions
        self.run = run
        self._poison = poison
        self._asking: Grouped[Batch | Release, list[tuple[Standing, Claim]]] = Grouped(self._in_order, most=LANES)

    async def claim(
        self, asked: Sequence[Asked], *, now: datetime, gone: Collection[str] = ()
    ) -> list[tuple[Standing, Claim]]:
        """Claim the ids of a batch of records in their order; what other lanes ask meanwhile shares a transaction."""
        return await self._asking.put(Batch(tuple(asked), now, frozenset(gone)))

    async def _in_order(self, asked: Sequence[Batch | Release]) -> Sequence[list[tuple[Standing, Claim]]]:
        """Claims and releases in the order in which they were asked for; the claims between two releases together."""
        results: list[list[tuple[Standing, Claim]]] = []
        for kind, some in groupby(asked, key=type):
            if kind is Batch:
                results += await self._claim([one for one in some if isinstance(one, Batch)])
                continue
            for one in some:
                if isinstance(one, Release):
                    await self._release(one)
                    results.append([])
        return results

    async def _claim(self, batches: Sequence[Batch]) -> Sequence[list[tuple[Standing, Claim]]]:
        async with self._transactions.begin("claiming") as connection:
            new = await self._insert(connection, batches)
            known = await _read(connection, {one.key for batch in batches for one in batch.asked} - new, lock=True)
            before = dict(known)
            results = [[self._stand(one, batch, known, before) for one in batch.asked] for batch in batches]
            await _write(connection, [claim for key, claim in known.items() if claim != before[key]])
        return results

    def _stand(
        self, asked: Asked, batch: Batch, known: dict[Key, Claim], before: dict[Key, Claim]
    ) -> tuple[Standing, Claim]:
        """What one record must do; ``known`` becomes what its claim is then, ``before`` what is stored of it."""
        claim = known.get(asked.key)
        if claim is None:
            standing, after = Standing.NEW, _taken_over(asked, self.run)
            before[asked.key] = after
        else:
            standing, after = judge(asked, claim, run=self.run, poison=self._poison, gone=batch.gone)
        known[asked.key] = after
        return standing, after

    @to_the_end
    async def find(self, tenant: str, request_id: str) -> Claim | None:
        """The claim on an id, or None."""
        key = (tenant, request_id)
        async with self._transactions.read("reading a claim") as connection:
            return (await _read(connection, [key])).get(key)

    async def release(self, partitions: Collection[int] | None = None, *, finishing: Collection[Key] = ()) -> None:
        """Give up cleanly what this process has claimed in the partitions (None: everywhere) and not yet decided.

        The calls of the ids in ``finishing`` run on here, and whoever gets their partition waits for the answers. What
        was claimed before is given up, also for who has left; what is claimed after stays.
        """
        named = None if partitions is None else tuple(sorted(partitions))
        await self._asking.put(Release(named, tuple(sorted(finishing))))

    async def _release(self, release: Release) -> None:
        mine = or_(T.run == self.run, T.finishing == self.run)
        if release.partitions is not None:
            mine = and_(mine, T.log_partition.in_(release.partitions))
        in_order = select(T.tenant, T.request_id).where(mine).order_by(T.tenant, T.request_id).with_for_update()
        async with self._transactions.begin("releasing claims") as connection:
            await connection.execute(in_order)  # two processes never wait for one another in a circle
            await connection.execute(update(tables.claims).where(mine).values(run=None, finishing=None))
            for keys in _slices(release.finishing, BITE):
                promised = tuple_(T.tenant, T.request_id).in_(keys)
                undecided = and_(T.run.is_(None), T.finishing.is_(None), T.closed.is_(False), ~_decided())
                await connection.execute(update(tables.claims).where(promised, undecided).values(finishing=self.run))

    @to_the_end
    async def close(self, asked: Asked) -> None:
        """The record becomes a dead letter: what was kept for it is dropped and the next record may take its id."""
        async with self._transactions.begin("closing a claim") as connection:
            closed = await connection.execute(
                update(tables.claims).where(_at(asked)).values(run=None, finishing=None, closed=True)
            )
            if closed.rowcount:
                for table in (tables.answers, tables.decisions):
                    await connection.execute(
                        delete(table).where(table.c.tenant == asked.tenant, table.c.request_id == asked.request_id)
                    )

    @to_the_end
    async def failed(self, asked: Asked) -> bool:
        """Count an unexpected failure against the record as if the process had died; True once it is poison."""
        async with self._transactions.begin("counting a failure") as connection:
            await connection.execute(update(tables.claims).where(_at(asked)).values(crashes=T.crashes + 1))
            crashes = await connection.scalar(select(T.crashes).where(_at(asked)))
        return crashes is not None and crashes >= self._poison

    async def _insert(self, connection: AsyncConnection, batches: Sequence[Batch]) -> set[Key]:
        """Insert what is new, in key order so that processes never wait in a circle; returns the new keys."""
        asking = [(one, batch.now) for batch in batches for one in batch.asked]
        asking.sort(key=lambda pair: pair[0].key)  # stable: of two records with one id the first that asked gets it
        rows = [_row(_taken_over(one, self.run)) | {"claimed_at": now} for one, now in asking]
        insert = self._transactions.insert(tables.claims).on_conflict_do_nothing().returning(T.tenant, T.request_id)
        return {(row.tenant, row.request_id) for row in await connection.execute(insert, rows)}


def _row(claim: Claim) -> dict[str, Any]:
    return {
        "tenant": claim.tenant,
        "request_id": claim.request_id,
        "payload_hash": claim.payload_hash,
        "log_partition": claim.partition,
        "log_offset": claim.offset,
        "run": claim.run,
        "finishing": claim.finishing,
        "crashes": claim.crashes,
        "closed": claim.closed,
    }


def _claim(row: Row[Any]) -> Claim:
    return Claim(
        tenant=row.tenant,
        request_id=row.request_id,
        payload_hash=row.payload_hash,
        partition=row.log_partition,
        offset=row.log_offset,
        run=row.run,
        finishing=row.finishing,
        crashes=row.crashes,
        closed=row.closed,
        decided=row.version is not None,
    )


def _at(asked: Asked) -> Any:
    """The claim as long as this very record holds it."""
    return and_(
        T.tenant == asked.tenant,
        T.request_id == asked.request_id,
        T.log_partition == asked.partition,
        T.log_offset == asked.offset,
    )


_first = and_(
    tables.decisions.c.tenant == T.tenant,
    tables.decisions.c.request_id == T.request_id,
    tables.decisions.c.version == 1,
)
NAMED = (
    select(tables.claims, tables.decisions.c.version)
    .outerjoin(tables.decisions, _first)
    .where(tuple_(T.tenant, T.request_id).in_(bindparam("keys", expanding=True)))
    .order_by(T.tenant, T.request_id)
)
LOCKED = NAMED.with_for_update(of=tables.claims)


async def _read(connection: AsyncConnection, keys: Iterable[Key], *, lock: bool = False) -> dict[Key, Claim]:
    """The claims on these ids; ``lock`` holds them to the transaction's end (SQLite's writers hold everything)."""
    found: dict[Key, Claim] = {}
    for some in _slices(sorted(keys), BITE):
        rows = await connection.execute(LOCKED if lock else NAMED, {"keys": some})
        found |= {(row.tenant, row.request_id): _claim(row) for row in rows}
    return found


def _decided() -> Any:
    """Whether the first version of the claim's id is stored."""
    first = tables.decisions.c
    query = select(first.version).where(first.tenant == T.tenant, first.request_id == T.request_id, first.version == 1)
    return query.correlate(tables.claims).exists()


async def _write(connection: AsyncConnection, changed: Sequence[Claim]) -> None:
    if not changed:
        return
    statement = (
        update(tables.claims)
        .where(T.tenant == bindparam("of_tenant"), T.request_id == bindparam("of_request"))
        .values({name: bindparam(name) for name in _row(changed[0]) if name not in ("tenant", "request_id")})
    )
    rows = []
    for claim in changed:
        row = _row(claim)
        rows.append(row | {"of_tenant": row.pop("tenant"), "of_request": row.pop("request_id")})
    await connection.execute(statement, rows)
