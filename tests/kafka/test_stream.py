"""A whole stream through Kafka: outcomes late, out of order, twice and corrected; calibrators that die; tables that go.

What the store says in the end is held against a computation of the test's own, over the messages alone.
"""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import numpy as np
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from calibration.ballots import NONE_OF_THESE, Ballots
from calibration.classes import ClassState
from calibration.refit import refit
from calibration.rollback import Rollback
from calibration.store import tables, verdicts
from calibration.store.engine import metadata, reading
from calibration.store.gathering import SEPARATOR, gather
from calibration.store.outcomes import UNUSABLE
from consensus import wire
from consensus.errors import StoreUnavailable
from consensus.forgetting import forget
from consensus.kafka.ingest import Ingest
from consensus.kafka.intake import Record
from consensus.ledger import Ledger
from consensus.types import Outcome, Signal, Verdict
from tests.eventually import eventually
from tests.kafka import loop_topics
from tests.kafka.followers import publishing
from tests.kafka.test_calibrator import _over, calibrator, contents, ingested, running
from tests.loop_records import NOON, OPTIONS, outcome, signal, verdict

SECONDS = 600.0
"""Longest wait for an ingestion; the machine may be busy."""

Message = Signal | Verdict | Outcome
Key = tuple[str, str]


def stream(requests: int, *, seed: int = 3) -> list[Message]:
    """Decisions of three members of known skill, and what was found out about them afterwards."""
    rng = random.Random(seed)
    decisions: list[Message] = []
    truths: list[Message] = []
    for i in range(requests):
        name, truth = f"r-{i}", rng.choice(OPTIONS)
        chosen = tuple(truth if rng.random() < skill else rng.choice(OPTIONS) for skill in (0.85, 0.75, 0.6))
        at = NOON + timedelta(seconds=i)
        changes: dict[str, Any] = {"decided_at": at, "stakes": rng.choice(["standard", "high", "critical"])}
        decisions.append(verdict(name, chosen, decided_at=at))
        decisions.append(signal(name, chosen, domain=("law", "health")[i % 2], **changes))
        truths += _found_out(name, truth, rng)
    late = truths + rng.sample(truths, len(truths) // 4)  # told twice
    rng.shuffle(late)
    early, late = late[: len(late) // 10], late[len(late) // 10 :]  # before their decisions, and long after
    return [*early, *decisions, *late]


def _found_out(name: str, truth: str, rng: random.Random) -> list[Message]:
    """None, one, a correction, an auditor who disagrees, a third who decides, users, and answers off the spec."""
    found: list[Message] = []
    if rng.random() < 0.6:
        found.append(outcome(name, truth))
    if rng.random() < 0.1:
        found.append(outcome(name, rng.choice(OPTIONS), hours=2))
    if rng.random() < 0.1:
        found.append(outcome(name, rng.choice((*OPTIONS, None)), source="audit", hours=rng.choice((1, 3))))
    if rng.random() < 0.1:
        found.append(outcome(name, truth, source="gold", hours=4))
    if rng.random() < 0.1:
        found.append(outcome(name, rng.choice((*OPTIONS, "no option")), source="feedback", hours=5))
    if rng.random() < 0.03:
        found.append(outcome(name, "no option", hours=6))
    if rng.random() < 0.02:
        found.append(outcome(f"unknown-{name}", truth))
    return found


Label = tuple[int | None, datetime]
"""Truth (``None``: contradicted) and time of the newest outcome that counts."""


def labels_of(messages: Sequence[Message]) -> dict[Key, Label]:
    """The label of each request, worked out from the messages at once: no order, no store."""
    known = {(m.tenant, m.request_id) for m in messages if isinstance(m, Signal)}
    latest: dict[Key, dict[str, tuple[datetime, str, int]]] = {}
    for message in messages:
        key = (message.tenant, message.request_id)
        if not isinstance(message, Outcome) or message.source == "feedback" or key not in known:
            continue
        said = (message.observed_at, hashlib.sha256(wire.write(message)).hexdigest(), _candidate(message.label))
        sources = latest.setdefault(key, {})
        sources[message.source] = max(said, sources.get(message.source, said))
    counted = {key: [one for one in said.values() if one[2] != UNUSABLE] for key, said in latest.items()}
    return {key: (_decided([truth for *_, truth in said]), max(said)[0]) for key, said in counted.items() if said}


def _decided(truths: list[int]) -> int | None:
    truth, sources = Counter(truths).most_common(1)[0]
    return truth if 2 * sources > len(truths) else None


def _candidate(label: Any) -> int:
    if label is None:
        return NONE_OF_THESE
    return OPTIONS.index(label) if label in OPTIONS else UNUSABLE


def ballots_of(messages: Sequence[Message]) -> Ballots:
    """The labelled table, built from the messages alone."""
    truths = {key: truth for key, (truth, _) in labels_of(messages).items() if truth is not None}
    rows = {_id(m): m for m in messages if isinstance(m, Signal) and (m.tenant, m.request_id) in truths}
    ordered = [rows[name] for name in sorted(rows)]
    return Ballots(
        models=("a", "b", "c"),
        families=("family-a", "family-b", "family-c"),
        domains=tuple(row.domain for row in ordered),
        answer_types=("choice",) * len(ordered),
        ids=tuple(sorted(rows)),
        votes=np.array([[entry.cluster for entry in row.ballot] for row in ordered], dtype=np.int64),
        candidates=np.full(len(ordered), len(OPTIONS), dtype=np.int64),
        open_set=np.zeros(len(ordered), dtype=np.bool_),
        truth=np.array([truths[row.tenant, row.request_id] for row in ordered], dtype=np.int64),
        confidence=np.full((len(ordered), 3), np.nan),
    )


def _id(message: Signal) -> str:
    return f"{message.tenant}{SEPARATOR}{message.request_id}"


def _version(table: Ballots, newest: datetime) -> str:
    found = refit(table, current=None, fitted_at=newest, min_labels=30)
    assert found is not None
    return found.candidate.version


async def agrees(engine: AsyncEngine, messages: Sequence[Message]) -> None:
    """Labels, counts, chain, and the snapshot that a refit makes: exactly what the messages alone give."""
    expected = labels_of(messages)
    async with reading(engine).connect() as connection:
        rows = (await connection.execute(tables.labels.select())).all()
        assert {(row.tenant, row.request_id): (row.truth, row.observed_at) for row in rows} == expected
        gathering = await gather(connection)
        assert await verdicts.first_broken(connection) == {}
        chained = (await connection.execute(tables.verdicts.select())).all()
    assert len(chained) == sum(isinstance(message, Verdict) for message in messages)
    newest = max(at for truth, at in expected.values() if truth is not None)
    assert gathering.newest == newest
    assert _version(gathering.ballots(), newest) == _version(ballots_of(messages), newest)


@pytest.mark.parametrize(
    "requests", [2_000, pytest.param(20_000, marks=[pytest.mark.slow, pytest.mark.timeout(3_600)])]
)
async def test_store_and_messages_agree_whatever_happens_on_the_way(
    address: str, prefix: str, engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch, requests: int
) -> None:
    """Calibrators die before and after their transactions; then the tables are dropped and the topics read again."""
    settings, topics = loop_topics.settings(address, prefix), await loop_topics.create(address, prefix)
    monkeypatch.setattr("consensus.kafka.calibrator.BATCH", max(100, requests // 20))
    monkeypatch.setattr("consensus.kafka.calibrator.BACKOFF_S", (0.001, 0.002))
    messages = stream(requests)
    async with loop_topics.writer(address, topics) as writer, publishing(settings) as publisher:
        await writer.send(messages)
        for key, value in acts():
            await publisher.record(key, value)
    read = (topics.verdicts, topics.signals, topics.outcomes, topics.snapshots)
    expected = len(messages) + len(acts())
    with monkeypatch.context() as dying:
        _die_at_random(dying)
        while not await ingested(engine, read, expected):
            async with running(calibrator(settings, engine, mark=Ledger(engine).decisions.mark_committed)) as task:
                await eventually(partial(_over, task, engine, read, expected), seconds=SECONDS)
    await agrees(engine, messages)

    erased = [("default", f"r-{i}") for i in range(0, requests, requests // 20)]
    await forget(engine, erased, at=NOON, timeout_s=SECONDS)
    before = await contents(engine)
    await drop(engine)
    async with running(calibrator(settings, engine)):
        await eventually(partial(ingested, engine, read, expected), seconds=SECONDS)
    assert await contents(engine) == before
    await agrees(engine, messages)


def acts() -> list[tuple[str, bytes]]:
    """What people did meanwhile: a hold, its release, a rollback; each is a record on the snapshots topic."""
    said = {"class": "default", "state": "held", "reason": "odd answers", "by": "ann", "at": NOON}
    held, released = (ClassState.model_validate({**said, "active": active}) for active in (True, False))
    back = Rollback(name="default", version="s-1", instead_of="s-2", by="ann", reason="worse", at=NOON)
    return [(state.key, state.to_json()) for state in (held, released)] + [(back.key, back.to_json())]


async def drop(engine: AsyncEngine) -> None:
    """Empty everything that the topics can fill again: claims, decisions, rulings and erasures stay."""
    async with engine.begin() as connection:
        for table in metadata.sorted_tables:
            if not table.name.startswith("ledger_"):
                await connection.execute(table.delete())


def _die_at_random(patch: pytest.MonkeyPatch) -> None:
    """The store fails before and after the commit, and the process ends in between."""
    rng, store = random.Random(4), Ingest.store

    async def failing(self: Ingest, records: Sequence[Record], begin: Any) -> None:
        if rng.random() < 0.15:
            raise StoreUnavailable("before")
        await store(self, records, begin)
        if rng.random() < 0.15:
            raise StoreUnavailable("after: nobody knows that it is written")
        if rng.random() < 0.2:
            raise asyncio.CancelledError

    patch.setattr(Ingest, "store", failing)
