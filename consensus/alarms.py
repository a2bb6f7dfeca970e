"""The alarms of the store: read for callers, counted as a metric, and said once each in the log."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from calibration.store import alarms
from consensus.errors import StoreUnavailable
from consensus.ledger.transactions import Transactions, to_the_end
from consensus.metrics import Metrics

LOOK_S = 5.0
"""Pause between two looks at the store."""

KNOWN = 10_000
"""Newest alarms of one kind that are told apart from new ones."""

LINES = 20
"""Lines for one kind at one look; a flood is told as a number."""

GRAVE = 1
"""Severities up to this one are errors in the log, the others warnings."""

log = structlog.get_logger()

Kind = tuple[int, str]
"""Severity and code."""


@dataclass(frozen=True)
class Raised:
    """An alarm as it is kept. ``severity``: 0 (gravest) to 3; ``subject`` names a request, a snapshot, a place."""

    id: str
    severity: int
    code: str
    subject: str
    detail: str
    raised_at: datetime


class Alarms:
    """Reads the store. Every method raises StoreUnavailable."""

    def __init__(self, engine: AsyncEngine, timeout_s: float) -> None:
        self._transactions = Transactions(engine, timeout_s)

    @to_the_end
    async def newest(self, *, max_severity: int, limit: int) -> list[Raised]:
        """The latest alarms at least as grave as ``max_severity``, newest first."""
        async with self._transactions.read("reading alarms") as connection:
            return _raised(await alarms.newest(connection, limit, max_severity=max_severity))

    @to_the_end
    async def counts(self) -> dict[Kind, int]:
        """How many there are of each kind."""
        async with self._transactions.read("counting alarms") as connection:
            return await alarms.counts(connection)

    @to_the_end
    async def of_code(self, code: str) -> list[Raised]:
        """The newest of one code."""
        async with self._transactions.read("reading alarms") as connection:
            return _raised(await alarms.newest(connection, KNOWN, code=code))


def _raised(rows: Sequence[dict[str, Any]]) -> list[Raised]:
    return [Raised(**row) for row in rows]


class Bell:
    """Looks at the store all the time, whoever raised an alarm: this process, another one, or a command.

    What is there at the first look was said by an earlier process: it is counted only.
    """

    def __init__(self, kept: Alarms, metrics: Metrics, *, every_s: float = LOOK_S) -> None:
        self._kept = kept
        self._metrics = metrics
        self._every_s = every_s
        self._counts: dict[Kind, int] = {}
        self._said: set[str] = set()
        self._first = True

    async def run(self) -> None:
        """Look until cancelled; while the store is away nothing is said, and nothing is forgotten."""
        while True:
            try:
                await self.look()
            except StoreUnavailable as error:
                log.warning("alarms cannot be read", error=str(error))
            await asyncio.sleep(self._every_s)

    async def look(self) -> None:
        """Count, and say what is new. Raises StoreUnavailable."""
        counts = await self._kept.counts()
        changed = {kind: count for kind, count in counts.items() if count != self._counts.get(kind)}
        for code in sorted({code for _, code in changed}):
            found = [alarm for alarm in await self._kept.of_code(code) if alarm.id not in self._said]
            if not self._first:
                _say(found)
            self._said |= {alarm.id for alarm in found}
        for (severity, code), count in changed.items():
            self._metrics.set("alarms", count, severity=str(severity), code=code)
        self._counts = counts
        self._first = False


def _say(found: Sequence[Raised]) -> None:
    """One line each, without the detail, which may quote what was found."""
    for alarm in found[:LINES]:
        say = log.error if alarm.severity <= GRAVE else log.warning
        say("alarm", severity=alarm.severity, code=alarm.code, subject=alarm.subject, alarm_id=alarm.id)
    if len(found) > LINES:
        log.error("more alarms", code=found[0].code, count=len(found) - LINES)
