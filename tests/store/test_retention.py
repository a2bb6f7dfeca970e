"""What is forgotten when: by age, by class, in bites, and never what is being decided."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from calibration.store import tables, verdicts
from consensus import wire
from consensus.kafka.intake import Record
from consensus.ledger import Asked, Ledger, Version, retention
from consensus.settings import RetentionSettings
from consensus.types import Signal
from tests.loop_records import NOON, Log, outcome, signal, verdict
from tests.store.test_ingest import feed, labels

CLAIM_DAYS = 30.0


def after(days: float) -> datetime:
    """So long after everything was decided, and a little more."""
    return NOON + timedelta(days=days, hours=2)


def keeping(**days: Any) -> RetentionSettings:
    """Everything for ever but what is named."""
    return RetentionSettings.model_validate({"decisions_days": None, **days})


async def forget(engine: AsyncEngine, now: datetime, kept: RetentionSettings) -> int:
    """All bites."""
    gone = 0
    while bite := await Ledger(engine).retention.forget(now, CLAIM_DAYS, kept):
        gone += bite
    return gone


async def claim(engine: AsyncEngine, request_id: str, *, decided: bool, run: str = "w") -> None:
    ledger = Ledger(engine, run=run)
    asked = Asked("default", request_id, "f" * 64, 0, 7)
    await ledger.claims.claim([asked], now=NOON)
    if decided:
        await ledger.decisions.keep(asked, Version("default", request_id, 1, wire.write(verdict(request_id))))


def of_class(name: str, request_id: str) -> Signal:
    return signal(request_id).model_copy(update={"class_": name})


async def ids(engine: AsyncEngine, table: Any) -> set[str]:
    async with engine.connect() as connection:
        return set((await connection.execute(select(table.c.request_id))).scalars())


async def claimed(engine: AsyncEngine) -> set[str]:
    """The requests that the ledger still knows, with their decisions or without."""
    found = set()
    for name in ("decided", "other", "busy", "dead"):
        if await Ledger(engine).claim_of("default", name) is not None:
            found.add(name)
    return found


async def test_an_id_is_remembered_as_long_as_its_decision(engine: AsyncEngine) -> None:
    """Dead letters go with the claim's 30 days, decisions with their own; what is being decided stays."""
    await claim(engine, "decided", decided=True)
    await claim(engine, "busy", decided=False)
    await claim(engine, "dead", decided=False, run="v")
    await Ledger(engine, run="v").claims.release()
    kept = keeping(decisions_days=100)
    assert await forget(engine, after(29), kept) == 0
    assert await forget(engine, after(31), kept) == 1
    assert await claimed(engine) == {"decided", "busy"}
    assert await forget(engine, after(99), kept) == 0
    assert await forget(engine, after(101), kept) == 1
    assert await claimed(engine) == {"busy"}
    assert await Ledger(engine).decisions.history("default", "decided") == []


async def test_no_decision_goes_before_its_claim(engine: AsyncEngine) -> None:
    """An id that may come again must find its verdict, whatever the settings say."""
    await claim(engine, "decided", decided=True)
    assert await forget(engine, after(29), keeping(decisions_days=1)) == 0
    assert await forget(engine, after(31), keeping(decisions_days=1)) == 1


async def test_a_dead_letter_that_was_missed_goes_with_the_decisions(engine: AsyncEngine) -> None:
    """No worker ran for weeks: nobody looks at all old claims every hour for its sake."""
    await claim(engine, "dead", decided=False, run="v")
    await Ledger(engine, run="v").claims.release()
    assert await forget(engine, after(60), keeping(decisions_days=100)) == 0
    assert await forget(engine, after(101), keeping(decisions_days=100)) == 1
    assert await claimed(engine) == set()


async def test_nothing_goes_where_everything_is_kept(engine: AsyncEngine) -> None:
    """``null`` means for ever."""
    await claim(engine, "decided", decided=True)
    await feed(engine, Log().records(verdict(), signal(), outcome()))
    assert await forget(engine, after(100_000), keeping()) == 0


async def test_a_class_has_its_own_days(engine: AsyncEngine) -> None:
    """Longer or shorter than the others; a decision whose signal never came is of no listed class."""
    classes = {"long": {"decisions_days": 1_000}, "short": {"decisions_days": 40, "signals_days": 10}}
    for name in ("decided", "other", "dead"):
        await claim(engine, name, decided=True)
    await feed(engine, Log().records(of_class("long", "decided"), of_class("short", "other")))
    kept = keeping(decisions_days=100, classes=classes)
    assert await forget(engine, after(9), kept) == 0
    assert await forget(engine, after(11), kept) == 1  # the signal of the short class
    assert await ids(engine, tables.signals) == {"decided"}
    assert await forget(engine, after(101), kept) == 2
    assert await claimed(engine) == {"decided"}


async def test_a_decision_of_a_short_class_goes_early(engine: AsyncEngine) -> None:
    """While its signal says so."""
    await claim(engine, "decided", decided=True)
    await claim(engine, "other", decided=True)
    await feed(engine, Log().records(of_class("short", "decided"), signal("other")))
    kept = keeping(decisions_days=100, classes={"short": {"decisions_days": 40}})
    assert await forget(engine, after(41), kept) == 1
    assert await claimed(engine) == {"other"}


def decided(log: Log, request_id: str, at: datetime) -> list[Record]:
    return log.records(
        verdict(request_id, decided_at=at),
        signal(request_id, decided_at=at),
        outcome(request_id, "B", observed_at=at),
    )


async def test_old_signals_take_outcomes_labels_and_bytes_with_them(engine: AsyncEngine) -> None:
    """Of both topics only digests stay, and the audit chain goes on verifying and growing."""
    log = Log()
    await feed(engine, decided(log, "old", NOON) + decided(log, "new", NOON + timedelta(days=50)))
    assert await forget(engine, after(60), keeping(signals_days=30)) == 1
    assert await ids(engine, tables.signals) == {"new"}
    assert await ids(engine, tables.outcomes) == {"new"}
    assert await labels(engine) == {"new": 1}
    await feed(engine, log.records(verdict("later")))
    async with engine.connect() as connection:
        (old,) = await verdicts.of_request(connection, "default", "old")
        (new,) = await verdicts.of_request(connection, "default", "new")
        assert old.raw is None
        assert new.raw is not None
        assert await verdicts.first_broken(connection) == {}
        assert await connection.scalar(select(func.count()).select_from(tables.verdicts)) == 3


async def test_outcomes_go_with_the_newest_of_their_request(engine: AsyncEngine) -> None:
    """A label is never left with half of its reasons; outcomes of unknown requests go too; ballots stay."""
    log = Log()
    await feed(engine, log.records(signal("r-1"), outcome("r-1", "A"), outcome("r-1", "B", hours=24 * 40)))
    await feed(engine, log.records(signal("r-2"), outcome("r-2", "A"), outcome("unknown", "A")))
    assert await forget(engine, after(35), keeping(outcomes_days=30)) == 2
    assert await ids(engine, tables.outcomes) == {"r-1"}
    assert await labels(engine) == {"r-1": 1}
    assert await ids(engine, tables.signals) == {"r-1", "r-2"}
    assert await forget(engine, after(71), keeping(outcomes_days=30)) == 1
    assert await labels(engine) == {}


async def test_tenants_are_told_apart(engine: AsyncEngine) -> None:
    """The same id of another tenant, decided later, stays."""
    later = NOON + timedelta(days=50)
    log = Log()
    await feed(engine, log.records(signal(), outcome(), verdict(), signal(tenant="other", decided_at=later)))
    await feed(engine, log.records(outcome(tenant="other"), verdict(tenant="other")))
    assert await forget(engine, after(40), keeping(signals_days=30)) == 1
    assert await labels(engine) == {"r-1": 0}
    async with engine.connect() as connection:
        (kept,) = await verdicts.of_request(connection, "other", "r-1")
        assert kept.raw is not None


async def test_one_transaction_forgets_a_bite(engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits long behind it, and in the end all is gone."""
    monkeypatch.setattr(retention, "BITE", 3)
    await feed(engine, Log().records(*(signal(f"r-{i}") for i in range(8))))
    kept = keeping(signals_days=1)
    taken = [await Ledger(engine).retention.forget(after(2), CLAIM_DAYS, kept) for _ in range(4)]
    assert taken == [3, 3, 2, 0]
