"""States of classes as the snapshots topic had them, and the decisions of a class that audits and archives look at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import and_, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from calibration.audits import AuditPlan, plan_of
from calibration.classes import ClassState
from calibration.store import tables
from calibration.store.writing import insert_new

S = tables.signals.c
L = tables.labels.c

PLANNED = 10_000


@dataclass(frozen=True)
class ClassRow:
    """One record of a class's state."""

    log_offset: int
    class_name: str
    state: str
    at: datetime
    raw: bytes


async def add(connection: AsyncConnection, rows: Sequence[ClassRow]) -> None:
    """Store the records that are new."""
    await insert_new(connection, tables.class_records, (vars(row) for row in rows))


async def history(connection: AsyncConnection, cls: str | None = None) -> list[ClassState]:
    """Every state (of one class) that was ever recorded, oldest first."""
    table = tables.class_records.c
    query = select(table.raw).order_by(table.log_offset)
    rows = await connection.execute(query if cls is None else query.where(table.class_name == cls))
    return [ClassState.from_json(row.raw) for row in rows]


async def current(connection: AsyncConnection) -> dict[tuple[str, str], ClassState]:
    """The latest record of every class and state, by (class, state)."""
    return {(state.class_, state.state): state for state in await history(connection)}


class Decided(NamedTuple):
    """One decision of a class: its first signal, and what its outcomes say of it (``labelled`` whether anything)."""

    tenant: str
    request_id: str
    decided_at: datetime
    raw: bytes
    truth: int | None
    observed_at: datetime | None


async def decisions(
    connection: AsyncConnection, cls: str, *, since: datetime | None = None, audited: bool = False, most: int
) -> list[Decided]:
    """The latest ``most`` first decisions of a class, oldest first, with their labels where there are any.

    ``audited``: only accepted answers that were drawn for an audit.
    """
    wanted = [S.class_name == cls, S.version == 1]
    if since is not None:
        wanted.append(S.decided_at > since)
    if audited:
        wanted += [S.audited.is_(True), S.status == "accepted"]
    of_one_request = and_(S.tenant == L.tenant, S.request_id == L.request_id)
    query = (
        select(S.tenant, S.request_id, S.decided_at, S.raw, L.truth, L.observed_at)
        .join(tables.labels, of_one_request, isouter=True)
        .where(*wanted)
        .order_by(S.decided_at.desc(), S.event_id)
        .limit(most)
    )
    return [Decided._make(row) for row in await connection.execute(query)][::-1]


async def accepting(connection: AsyncConnection) -> list[str]:
    """Classes that have accepted anything."""
    query = select(S.class_name).where(S.status == "accepted").distinct().order_by(S.class_name)
    return list((await connection.execute(query)).scalars())


async def audit_plans(connection: AsyncConnection, now: datetime) -> list[AuditPlan]:
    """Audits against plan of every class that accepts, from its latest `PLANNED` draws at most."""
    plans = []
    for cls in await accepting(connection):
        rows = await decisions(connection, cls, audited=True, most=PLANNED)
        plans.append(plan_of(cls, [(row.decided_at, row.truth is not None) for row in rows], now))
    return plans


async def newest(connection: AsyncConnection) -> datetime | None:
    """When the latest decision was made."""
    found: datetime | None = await connection.scalar(select(func.max(S.decided_at, type_=tables.UtcTime)))
    return found
