"""Panels: the columns of packed ballots, stored once under the hash of their names."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from calibration.store import tables
from calibration.store.writing import insert_new

Members = tuple[tuple[str, str], ...]
"""(model, family) of each member, in the order of the ballot."""


def panel_id(members: Members) -> str:
    """Content hash of a panel: 32 hex digits."""
    return hashlib.sha256(_text(members).encode()).hexdigest()[:32]


async def add(connection: AsyncConnection, panels: Iterable[Members]) -> None:
    """Store the panels that are not there yet."""
    rows = [{"id": panel_id(members), "members": _text(members)} for members in sorted(set(panels))]
    await insert_new(connection, tables.panels, rows)


async def all_panels(connection: AsyncConnection) -> dict[str, Members]:
    """Every panel ever seen, by id."""
    rows = await connection.execute(select(tables.panels))
    return {row.id: tuple((model, family) for model, family in json.loads(row.members)) for row in rows}


def _text(members: Members) -> str:
    return json.dumps(members, separators=(",", ":"))
