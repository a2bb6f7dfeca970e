"""Records that wait for a decision made elsewhere."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest_asyncio

from calibration.store.engine import create_engine, metadata
from consensus.kafka import elsewhere
from consensus.kafka.elsewhere import Beats, Elsewhere
from consensus.ledger import Asked, Ledger, Standing, Version

NOW = datetime(2026, 1, 1, tzinfo=UTC)
FIRST = Asked("t", "r1", "hash", 0, 1)
AGAIN = Asked("t", "r1", "hash", 0, 2)


class Clock:
    """A clock that tests move."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_beat_that_grows_is_alive() -> None:
    """Only a beat that stands still for the whole time counts as gone, by our own clock."""
    clock = Clock()
    beats = Beats(clock)
    assert beats.watch({"a": 1, "b": 1}) == set()
    clock.now += elsewhere.GONE_S - 0.1
    assert beats.watch({"a": 2, "b": 1}) == set()
    clock.now += 0.1
    assert beats.watch({"a": 2, "b": 1}) == {"b"}
    clock.now += elsewhere.GONE_S
    assert beats.watch({"b": 2}) == set()


def test_who_is_no_longer_watched_is_forgotten() -> None:
    """A process that is watched again later gets its full time."""
    clock = Clock()
    beats = Beats(clock)
    beats.watch({"a": 1})
    beats.watch({})
    clock.now += elsewhere.GONE_S
    assert beats.watch({"a": 1}) == set()


@pytest_asyncio.fixture
async def ledgers(tmp_path: Path) -> AsyncIterator[tuple[Ledger, Ledger]]:
    """The same ledger as the processes ``a`` and ``b`` see it."""
    engine = create_engine(f"sqlite+aiosqlite:///{tmp_path / 'store.sqlite'}")
    async with engine.begin() as connection:
        await connection.run_sync(metadata.create_all)
    yield Ledger(engine, run="a"), Ledger(engine, run="b")
    await engine.dispose()


@asynccontextmanager
async def waiting(ledger: Ledger, clock: Clock, stored: asyncio.Event) -> AsyncIterator[Elsewhere]:
    room = Elsewhere(ledger, stored, clock=clock)
    running = asyncio.create_task(room.run())
    yield room
    running.cancel()
    await asyncio.wait([running])


async def test_a_duplicate_is_answered_once_the_first_is_decided(ledgers: tuple[Ledger, Ledger]) -> None:
    """It asks again when this process has stored something, and at an interval for the others."""
    ledger, other = ledgers
    await other.claims.claim([FIRST], now=NOW)
    [(standing, claim)] = await ledger.claims.claim([AGAIN], now=NOW)
    assert standing is Standing.WAIT
    async with waiting(ledger, Clock(), asyncio.Event()) as room:
        answer = asyncio.create_task(room.wait(AGAIN, claim))
        done, _ = await asyncio.wait([answer], timeout=2 * elsewhere.INTERVAL_S)
        assert not done
        assert len(room) == 1
        await other.decisions.keep(FIRST, Version("t", "r1", 1, b"v"))
        assert (await asyncio.wait_for(answer, 10))[0] is Standing.REPEAT


async def test_a_record_is_taken_over_from_the_dead(ledgers: tuple[Ledger, Ledger]) -> None:
    """While the other process beats, its promise holds; once it is gone the record is ours, with a crash counted."""
    ledger, other = ledgers
    clock, stored = Clock(), asyncio.Event()
    await other.claims.claim([FIRST], now=NOW)
    await other.claims.release({0}, finishing=[FIRST.key])
    [(standing, claim)] = await ledger.claims.claim([FIRST], now=NOW)
    assert standing is Standing.WAIT
    async with waiting(ledger, clock, stored) as room:
        answer = asyncio.create_task(room.wait(FIRST, claim))
        for _ in range(3):
            await other.runs.beat("b")
            stored.set()
            clock.now += elsewhere.GONE_S - 1
            done, _ = await asyncio.wait([answer], timeout=2 * elsewhere.INTERVAL_S)
            assert not done
        clock.now += elsewhere.GONE_S
        standing, claim = await asyncio.wait_for(answer, 10)
    assert (standing, claim.run, claim.crashes) == (Standing.MINE, "a", 1)


async def test_who_stops_waiting_is_forgotten(ledgers: tuple[Ledger, Ledger]) -> None:
    """A lane that closes cancels its waiters, and nothing is claimed for them any more."""
    ledger, other = ledgers
    await other.claims.claim([FIRST], now=NOW)
    [(_, claim)] = await ledger.claims.claim([FIRST], now=NOW, gone=())
    async with waiting(ledger, Clock(), asyncio.Event()) as room:
        answer = asyncio.create_task(room.wait(AGAIN, claim))
        await asyncio.wait([answer], timeout=elsewhere.INTERVAL_S)
        answer.cancel()
        await asyncio.wait([answer], timeout=2 * elsewhere.INTERVAL_S)
        second = asyncio.create_task(room.wait(AGAIN, claim))
        await asyncio.wait([second], timeout=2 * elsewhere.INTERVAL_S)
        assert len(room) == 1
        second.cancel()
