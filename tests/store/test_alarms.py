"""Alarms: told newest first, counted as a metric, and said once each in the log."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine
from structlog.testing import capture_logs

from calibration.store import alarms
from calibration.store.alarms import Alarm
from consensus.alarms import LINES, Alarms, Bell
from consensus.errors import StoreUnavailable
from consensus.metrics import Metrics
from tests.eventually import eventually

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
DETAIL = "quotes the patient's name"


def alarm(cause: str, *, severity: int = 2, code: str = "candidate_refused", minutes: float = 0) -> Alarm:
    return Alarm(severity, code, f"about {cause}", DETAIL, cause, NOW + timedelta(minutes=minutes))


async def raised(engine: AsyncEngine, *found: Alarm) -> None:
    async with engine.begin() as connection:
        await alarms.add(connection, found)


def kept(engine: AsyncEngine) -> Alarms:
    return Alarms(engine, 60.0)


def subjects(lines: list[Any]) -> list[str]:
    return [line["subject"] for line in lines if line["event"] == "alarm"]


async def test_the_newest_come_first_and_only_the_grave_ones_where_asked(engine: AsyncEngine) -> None:
    """Of one moment, the gravest first."""
    await raised(engine, alarm("old", severity=0), alarm("new", minutes=1), alarm("grave", severity=1, minutes=1))
    every = await kept(engine).newest(max_severity=3, limit=10)
    assert [found.subject for found in every] == ["about grave", "about new", "about old"]
    assert [found.subject for found in await kept(engine).newest(max_severity=1, limit=10)] == [
        "about grave",
        "about old",
    ]
    assert [found.subject for found in await kept(engine).newest(max_severity=3, limit=1)] == ["about grave"]
    first = every[0]
    assert (first.id, first.code, first.detail, first.raised_at) == (
        alarm("grave").id,
        "candidate_refused",
        DETAIL,
        NOW + timedelta(minutes=1),
    )


async def test_each_is_counted_by_severity_and_code_and_said_once(engine: AsyncEngine) -> None:
    """Also one that is dated before those that were there, and one that is found again."""
    metrics = Metrics()
    bell = Bell(kept(engine), metrics)
    await bell.look()
    with capture_logs() as lines:
        await raised(engine, alarm("a"), alarm("b", severity=0, code="verdict_changed"))
        await bell.look()
        await bell.look()
        await raised(engine, alarm("a"), alarm("earlier", minutes=-60))
        await bell.look()
    assert sorted(subjects(lines)) == ["about a", "about b", "about earlier"]
    assert metrics.value("alarms", severity="2", code="candidate_refused") == 2
    assert metrics.value("alarms", severity="0", code="verdict_changed") == 1
    assert {line["subject"]: line["log_level"] for line in lines} == {
        "about a": "warning",
        "about b": "error",
        "about earlier": "warning",
    }
    assert DETAIL not in str(lines)


async def test_what_was_there_before_is_counted_and_not_said_again(engine: AsyncEngine) -> None:
    """An earlier process has said it."""
    metrics = Metrics()
    bell = Bell(kept(engine), metrics)
    await raised(engine, alarm("a"))
    with capture_logs() as lines:
        await bell.look()
        assert metrics.value("alarms", severity="2", code="candidate_refused") == 1
        await raised(engine, alarm("b"))
        await bell.look()
    assert subjects(lines) == ["about b"]


async def test_a_flood_is_told_as_a_number(engine: AsyncEngine) -> None:
    bell = Bell(kept(engine), Metrics())
    await bell.look()
    await raised(engine, *(alarm(f"{number}", code="unreadable") for number in range(LINES + 7)))
    with capture_logs() as lines:
        await bell.look()
    assert len(subjects(lines)) == LINES
    assert [(line["code"], line["count"]) for line in lines if line["event"] == "more alarms"] == [("unreadable", 7)]


async def test_a_store_that_is_away_delays_alarms_and_loses_none(engine: AsyncEngine) -> None:
    class Away(Alarms):
        failures = 2

        async def counts(self) -> dict[tuple[int, str], int]:
            if self.failures and looked.is_set():
                self.failures -= 1
                raise StoreUnavailable("away")
            found = await super().counts()
            looked.set()
            return found

    looked = asyncio.Event()
    metrics = Metrics()
    with capture_logs() as lines:
        ringing = asyncio.create_task(Bell(Away(engine, 60.0), metrics, every_s=0.01).run())
        await asyncio.wait_for(looked.wait(), 60)
        await raised(engine, alarm("a"))
        await eventually(lambda: subjects(lines) == ["about a"] or ringing.done())
        ringing.cancel()
        await asyncio.wait([ringing])
    assert [line["event"] for line in lines].count("alarms cannot be read") == 2
    assert metrics.value("alarms", severity="2", code="candidate_refused") == 1
