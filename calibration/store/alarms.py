"""Alarms: findings with a severity from 0 (wrong critical verdict) to 3 (to be looked at this week)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from calibration.store import tables
from calibration.store.writing import insert_new

LEAST = 3
"""The least grave severity."""


@dataclass(frozen=True)
class Alarm:
    """One finding. ``cause`` identifies it: found again, it is the same alarm. ``subject`` names what it is about."""

    severity: int
    code: str
    subject: str
    detail: str
    cause: str
    raised_at: datetime

    @property
    def id(self) -> str:
        """Hash of code and cause: 32 hex digits."""
        return hashlib.sha256(f"{self.code}\n{self.cause}".encode()).hexdigest()[:32]

    def columns(self) -> dict[str, object]:
        """The row as the table has it."""
        return {name: value for name, value in vars(self).items() if name != "cause"} | {"id": self.id}


def subject_of(tenant: str, request_id: str) -> str:
    """Names a request; as JSON, because both parts may hold any separator."""
    return json.dumps([tenant, request_id], ensure_ascii=False)


async def add(connection: AsyncConnection, alarms: Iterable[Alarm]) -> None:
    """Store the alarms that are new."""
    await insert_new(connection, tables.alarms, (alarm.columns() for alarm in alarms))


async def newest(
    connection: AsyncConnection, limit: int, *, max_severity: int = LEAST, code: str | None = None
) -> list[dict[str, object]]:
    """The latest alarms at least as grave as ``max_severity``, the gravest first among those of one time.

    ``code``: only alarms of this kind.
    """
    table = tables.alarms
    query = select(table).where(table.c.severity <= max_severity)
    if code is not None:
        query = query.where(table.c.code == code)
    query = query.order_by(table.c.raised_at.desc(), table.c.severity, table.c.id).limit(limit)
    return [dict(row) for row in (await connection.execute(query)).mappings()]


async def counts(connection: AsyncConnection) -> dict[tuple[int, str], int]:
    """How many alarms there are, by severity and code."""
    table = tables.alarms
    query = select(table.c.severity, table.c.code, func.count()).group_by(table.c.severity, table.c.code)
    return {(severity, code): count for severity, code, count in await connection.execute(query)}


async def about(connection: AsyncConnection, subject: str) -> list[dict[str, object]]:
    """The alarms about one subject, oldest first."""
    table = tables.alarms
    query = select(table).where(table.c.subject == subject).order_by(table.c.raised_at, table.c.id)
    return [dict(row) for row in (await connection.execute(query)).mappings()]
