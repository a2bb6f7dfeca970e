"""Signals: one row per decision, its ballot packed so that a refit reads a million of them in seconds."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

import numpy as np
from sqlalchemy import and_, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from calibration.store import panels, tables
from calibration.store.panels import Members
from calibration.store.writing import among, chunks, insert_new

VOTE = np.dtype("<i2")
CONFIDENCE = np.dtype("<f8")
READ_ROWS = 5_000


@dataclass(frozen=True)
class SignalRow:
    """One decision. ``votes`` and ``confidences`` have one entry per member, coded as in `calibration.ballots`.

    ``audited``: whether it was drawn for a blind audit; ``None``: not known.
    """

    event_id: str
    tenant: str
    request_id: str
    version: int
    domain: str
    class_name: str
    answer_type: str
    open_set: bool
    candidates: int
    members: Members
    votes: Sequence[int]
    confidences: Sequence[float]
    prompt_hash: str | None
    status: str
    decided_at: datetime
    raw: bytes
    audited: bool | None = None

    def columns(self) -> dict[str, object]:
        """The row as the table has it."""
        packed = {
            "panel": panels.panel_id(self.members),
            "votes": np.asarray(self.votes, dtype=VOTE).tobytes(),
            "confidences": np.asarray(self.confidences, dtype=CONFIDENCE).tobytes(),
        }
        plain = {name: value for name, value in vars(self).items() if name not in ("members", *packed)}
        return plain | packed


class Labelled(NamedTuple):
    """One labelled ballot as stored: see `tables.signals` for the two packed columns."""

    tenant: str
    request_id: str
    domain: str
    answer_type: str
    open_set: bool
    candidates: int
    panel: str
    votes: bytes
    confidences: bytes
    prompt_hash: str | None
    truth: int
    observed_at: datetime


async def add(connection: AsyncConnection, rows: Sequence[SignalRow]) -> None:
    """Store the signals whose event id is new."""
    await panels.add(connection, (row.members for row in rows))
    await insert_new(connection, tables.signals, (row.columns() for row in rows))


async def first_of(connection: AsyncConnection, request_ids: Iterable[str]) -> dict[tuple[str, str], bytes]:
    """The raw first signal of each of these requests, by (tenant, request id), for all tenants."""
    table = tables.signals
    found: dict[tuple[str, str], bytes] = {}
    for ids in chunks(request_ids):
        query = select(table.c.tenant, table.c.request_id, table.c.raw).where(
            among(connection, table.c.request_id, ids)
        )
        for row in await connection.execute(query.order_by(table.c.version, table.c.event_id)):
            found.setdefault((row.tenant, row.request_id), row.raw)
    return found


async def of_request(connection: AsyncConnection, tenant: str, request_id: str) -> list[bytes]:
    """All raw signals of one request, oldest version first."""
    table = tables.signals
    query = (
        select(table.c.raw)
        .where(and_(table.c.tenant == tenant, table.c.request_id == request_id))
        .order_by(table.c.version, table.c.event_id)
    )
    return list((await connection.execute(query)).scalars())


async def labelled(connection: AsyncConnection) -> AsyncIterator[list[Labelled]]:
    """Every uncontradicted label with the first ballot of its request, in chunks of no particular order."""
    signal, label = tables.signals, tables.labels
    firsts = await _firsts_of_several(connection)
    of_one_request = and_(signal.c.tenant == label.c.tenant, signal.c.request_id == label.c.request_id)
    columns = [label.c[name] if name in ("truth", "observed_at") else signal.c[name] for name in Labelled._fields]
    query = select(*columns, signal.c.event_id).join(label, of_one_request).where(label.c.truth.is_not(None))
    async with connection.stream(query) as result:
        async for rows in result.partitions(READ_ROWS):
            yield [Labelled._make(row[:-1]) for row in rows if firsts.get(row[:2], row[-1]) == row[-1]]


async def _firsts_of_several(connection: AsyncConnection) -> dict[tuple[str, str], str]:
    """The event id of the first signal of each request that has more than one, of which there are few.

    Ranking all signals instead would sort them all: half a minute for a million.
    """
    table = tables.signals
    request = (table.c.tenant, table.c.request_id)
    several = select(*request).group_by(*request).having(func.count() > 1).subquery()
    query = select(*request, table.c.event_id).join(
        several, and_(table.c.tenant == several.c.tenant, table.c.request_id == several.c.request_id)
    )
    found: dict[tuple[str, str], str] = {}
    for row in await connection.execute(query.order_by(table.c.version, table.c.event_id)):
        found.setdefault((row.tenant, row.request_id), row.event_id)
    return found
