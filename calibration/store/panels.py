"""Panels: the columns of packed ballots, stored once under the hash of their names."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from calibration.store import tables
from calibration.store.writing import insert_new


class Member(NamedTuple):
    """One column of a ballot: configured name, family, version the provider reported, source of its confidence."""

    model: str
    family: str
    version: str | None
    source: str


Members = tuple[Member, ...]


@lru_cache(maxsize=1024)
def panel_id(members: Members) -> str:
    """Content hash of a panel: 32 hex digits."""
    return hashlib.sha256(_text(members).encode()).hexdigest()[:32]


async def add(connection: AsyncConnection, panels: Iterable[Members]) -> None:
    """Store the panels that are not there yet."""
    rows = [{"id": panel_id(members), "members": _text(members)} for members in sorted(set(panels), key=_text)]
    await insert_new(connection, tables.panels, rows)


async def all_panels(connection: AsyncConnection) -> dict[str, Members]:
    """Every panel ever seen, by id."""
    rows = await connection.execute(select(tables.panels))
    return {row.id: tuple(Member(*member) for member in json.loads(row.members)) for row in rows}


def _text(members: Members) -> str:
    return json.dumps(members, separators=(",", ":"))
