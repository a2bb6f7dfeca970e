"""Erasure of the texts of some requests, on a person's demand: question, context, answers, rationales, rulings.

What they taught stays: votes, labels, confidences, the audit chain and every snapshot. What lies on Kafka topics cannot
be rewritten and goes with their retention; should it be read again, it is stored without texts.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from calibration.store import erasure, outcomes
from calibration.store.writing import serialise
from consensus import textless, wire
from consensus.ledger import erasures, tables
from consensus.ledger.claims import Key
from consensus.ledger.retention import TABLES
from consensus.ledger.transactions import Transactions, to_the_end
from consensus.types import Outcome, Signal

READ_ROWS = 500
SUBJECT = b'"subject"'


@dataclass(frozen=True)
class Forgotten:
    """``erased`` lost their texts; ``busy`` are being decided or published; of ``unknown`` nothing is stored."""

    erased: tuple[Key, ...]
    busy: tuple[Key, ...]
    unknown: tuple[Key, ...]


@to_the_end
async def forget(engine: AsyncEngine, keys: Collection[Key], *, at: datetime, timeout_s: float) -> Forgotten:
    """Erase all texts of these requests in one transaction. Doing it again changes nothing. Raises StoreUnavailable."""
    async with Transactions(engine, timeout_s).begin("erasing") as connection:
        await serialise(connection)
        busy = await _busy(connection, keys)
        kept = await erasure.known(connection, keys) | await _in_ledger(connection, keys)
        before = await erasures.of(connection, keys)
        erased = {key for key in keys if key in kept | before.keys() and key not in busy}
        await _erase(connection, erased, before, at)
    unknown = set(keys) - erased - busy
    return Forgotten(tuple(sorted(erased)), tuple(sorted(busy)), tuple(sorted(unknown)))


async def of_subject(engine: AsyncEngine, tenant: str, subject: str, *, timeout_s: float) -> list[Key]:
    """The requests whose ``metadata.subject`` this is, as long as the ledger keeps them. Raises StoreUnavailable."""
    table = tables.decisions.c
    query = select(table.request_id, table.request).where(table.tenant == tenant, table.request.is_not(None))
    found = []
    async with (
        Transactions(engine, timeout_s).read("looking for a subject") as connection,
        connection.stream(query.order_by(table.request_id)) as result,
    ):
        async for rows in result.partitions(READ_ROWS):
            found += [(tenant, row.request_id) for row in rows if _subject(row.request) == subject]
    return found


async def erased_at(engine: AsyncEngine, key: Key, *, timeout_s: float) -> datetime | None:
    """When the texts of this request were erased, ``None`` where they were not. Raises StoreUnavailable."""
    table = tables.erasures.c
    async with Transactions(engine, timeout_s).read("looking for an erasure") as connection:
        found: datetime | None = await connection.scalar(
            select(table.erased_at).where(table.id == erasures.identity(key))
        )
    return found


def _subject(raw: bytes) -> str | None:
    """A request's subject; only JSON that names one is parsed."""
    if SUBJECT not in raw:
        return None
    metadata = json.loads(raw).get("metadata") or {}
    subject = metadata.get("subject")
    return subject if isinstance(subject, str) else None


async def _erase(connection: AsyncConnection, keys: set[Key], before: dict[Key, erasures.Truths], at: datetime) -> None:
    groups = await outcomes.of_requests(connection, (request_id for _, request_id in keys))
    recorded = [one for key, group in groups.items() if key in keys for one in group]
    truths: dict[Key, dict[str, int | None]] = {key: dict(before.get(key, {})) for key in keys}
    for one in recorded:
        truths[one.tenant, one.request_id][one.digest] = one.truth
    signals = await erasure.raw_signals(connection, keys)
    await erasure.rewrite(
        connection,
        {event: wire.write(textless.signal(wire.read_own(Signal, raw))) for event, raw in signals.items()},
        {one.digest: wire.write(textless.outcome(wire.read_own(Outcome, one.raw), one.truth)) for one in recorded},
    )
    await erasure.empty_verdicts(connection, keys)
    for table in TABLES:
        for some in _bites(keys):
            await connection.execute(delete(table).where(tuple_(table.c.tenant, table.c.request_id).in_(some)))
    await erasures.add(connection, truths, at=at)


async def _busy(connection: AsyncConnection, keys: Iterable[Key]) -> set[Key]:
    """Being decided, or decided and not known to be published: taken away now, it would be decided a second time."""
    claim, decision = tables.claims.c, tables.decisions.c
    held = or_(claim.run.is_not(None), claim.finishing.is_not(None))
    found: set[Key] = set()
    for some in _bites(keys):
        deciding = select(claim.tenant, claim.request_id).where(tuple_(claim.tenant, claim.request_id).in_(some), held)
        mine = tuple_(decision.tenant, decision.request_id).in_(some)
        publishing = select(decision.tenant, decision.request_id).where(mine, decision.committed_at.is_(None))
        for query in (deciding, publishing):
            found |= {(row.tenant, row.request_id) for row in await connection.execute(query.with_for_update())}
    return found


async def _in_ledger(connection: AsyncConnection, keys: Iterable[Key]) -> set[Key]:
    found: set[Key] = set()
    for some in _bites(keys):
        for table in TABLES:
            key = tuple_(table.c.tenant, table.c.request_id)
            query = select(table.c.tenant, table.c.request_id).where(key.in_(some)).distinct()
            found |= {(row.tenant, row.request_id) for row in await connection.execute(query)}
    return found


def _bites(keys: Iterable[Key]) -> Iterable[list[Key]]:
    distinct = sorted(set(keys))
    return (distinct[start : start + READ_ROWS] for start in range(0, len(distinct), READ_ROWS))
