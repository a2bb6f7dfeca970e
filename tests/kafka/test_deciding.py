"""Jobs that were claimed before the process stood still, and begun after it."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import pytest_asyncio

from calibration.store.engine import create_engine, metadata
from consensus import wire
from consensus.errors import Fenced
from consensus.kafka.deciding import Deciding, Job, Result
from consensus.kafka.elsewhere import GONE_S, sure_s
from consensus.kafka.messages import Incoming
from consensus.kafka.slots import Slots
from consensus.kafka.topics import Topics
from consensus.kafka.votes import Votes
from consensus.ledger import Asked, Ledger, StoredLog, Version
from consensus.metrics import Metrics
from consensus.settings import KafkaSettings
from consensus.types import Answer
from tests.kafka.decisions import Decider, request

NOW = datetime(2026, 1, 1, tzinfo=UTC)
FROZEN_S = 60.0


@pytest_asyncio.fixture
async def ledgers(tmp_path: Path) -> AsyncIterator[tuple[Ledger, Ledger]]:
    """The same ledger as the processes ``a`` and ``b`` see it."""
    engine = create_engine(f"sqlite+aiosqlite:///{tmp_path / 'store.sqlite'}")
    async with engine.begin() as connection:
        await connection.run_sync(metadata.create_all)
    yield Ledger(engine, run="a", sure_s=FROZEN_S / 2), Ledger(engine, run="b")
    await engine.dispose()


def job(frozen_s: float) -> Job:
    """A record that was read so many seconds ago."""
    asked = request("r1")
    record = Incoming("requests", 0, 7, NOW, b"r1", wire.write(asked))
    ours = Asked(asked.tenant, asked.id, wire.payload_hash(asked), 0, 7)
    return Job(record, asked, ours, time.monotonic() - frozen_s)


async def decided(ledger: Ledger, decider: Decider, job: Job) -> Result:
    slots = Slots(1)
    deciding = Deciding(
        decider, ledger, slots, Topics("test."), votes=Votes(KafkaSettings(prefix="test.")), metrics=Metrics()
    )
    await slots.take(1)
    return await deciding.begin(job, fresh=True)


async def test_a_job_that_was_begun_too_late_pays_nothing(ledgers: tuple[Ledger, Ledger]) -> None:
    """Claimed here, then the process stood still: what another process has paid for by then is not paid again."""
    ledger, other = ledgers
    late, decider = job(FROZEN_S), Decider()
    await ledger.claims.claim([late.asked], now=NOW)
    await other.claims.claim([late.asked], now=NOW)
    payload = (late.asked.tenant, late.asked.request_id, late.asked.payload_hash)
    await StoredLog(other.answers, payload).record("panel:m", Answer(model="m", family="f", text="a"))
    assert isinstance(await decided(ledger, decider, late), Fenced)
    assert decider.paid == {}


async def test_a_job_that_another_process_has_decided_gives_that_decision(ledgers: tuple[Ledger, Ledger]) -> None:
    """Its bytes are published, if this process may still publish anything."""
    ledger, other = ledgers
    late, decider = job(FROZEN_S), Decider()
    await ledger.claims.claim([late.asked], now=NOW)
    await other.claims.claim([late.asked], now=NOW)
    theirs = Version(late.asked.tenant, late.asked.request_id, 1, b"theirs")
    await other.decisions.keep(late.asked, theirs)
    assert await decided(ledger, decider, late) == theirs
    assert decider.paid == {}


async def test_a_job_that_is_begun_in_time_is_decided(
    ledgers: tuple[Ledger, Ledger], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is read for it."""
    ledger, _ = ledgers
    soon, decider = job(0.0), Decider()
    await ledger.claims.claim([soon.asked], now=NOW)
    monkeypatch.setattr(ledger.answers, "recorded", None)
    assert isinstance(await decided(ledger, decider, soon), Version)
    assert decider.paid == {"r1": 1}


def test_nobody_takes_over_while_a_process_is_sure() -> None:
    """Others wait for the session or for a beat that stands still, whichever is shorter; less its interval."""
    assert sure_s(2_000) == 1.0
    assert sure_s(60_000) == GONE_S / 2
