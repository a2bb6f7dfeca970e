"""Texts out of the store: verdict records lose their bytes, signals and outcomes keep what is no text.

The audit chain rests on digests and goes on verifying; votes, confidences and labels are columns of their own and stay.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Table, and_, bindparam, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from calibration.store import tables
from calibration.store.outcomes import Key

BITE = 500
"""Requests in one statement."""


async def known(connection: AsyncConnection, keys: Iterable[Key]) -> set[Key]:
    """Those of the requests of which the store holds anything."""
    found: set[Key] = set()
    for some in _bites(keys):
        for table in (tables.signals, tables.verdicts, tables.outcomes):
            query = select(table.c.tenant, table.c.request_id).where(_one_of(table, some)).distinct()
            found |= {(row.tenant, row.request_id) for row in await connection.execute(query)}
    return found


async def raw_signals(connection: AsyncConnection, keys: Iterable[Key]) -> dict[str, bytes]:
    """The raw signals of these requests by event id."""
    table = tables.signals
    found: dict[str, bytes] = {}
    for some in _bites(keys):
        rows = await connection.execute(select(table.c.event_id, table.c.raw).where(_one_of(table, some)))
        found |= {row.event_id: row.raw for row in rows}
    return found


async def rewrite(connection: AsyncConnection, signals: Mapping[str, bytes], outcomes: Mapping[str, bytes]) -> None:
    """Replace the raw forms of signals by event id and of outcomes by digest."""
    await _rewrite(connection, tables.signals, tables.signals.c.event_id, signals)
    await _rewrite(connection, tables.outcomes, tables.outcomes.c.digest, outcomes)


async def empty_verdicts(connection: AsyncConnection, keys: Iterable[Key]) -> None:
    """Take the bytes of these requests' verdict records away; digest and chain stay."""
    for some in _bites(keys):
        await connection.execute(update(tables.verdicts).where(_one_of(tables.verdicts, some)).values(raw=None))


async def _rewrite(connection: AsyncConnection, table: Table, key: Any, raw: Mapping[str, bytes]) -> None:
    if raw:
        statement = update(table).where(key == bindparam("of")).values(raw=bindparam("to"))
        await connection.execute(statement, [{"of": name, "to": value} for name, value in raw.items()])


def _one_of(table: Table, keys: list[Key]) -> Any:
    # The id alone has an index.
    ids = sorted({request_id for _, request_id in keys})
    return and_(table.c.request_id.in_(ids), tuple_(table.c.tenant, table.c.request_id).in_(keys))


def _bites(keys: Iterable[Key]) -> Iterable[list[Key]]:
    distinct = sorted(set(keys))
    return (distinct[start : start + BITE] for start in range(0, len(distinct), BITE))
