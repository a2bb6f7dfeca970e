"""The whole loop through separate processes on the embedded broker, with a worker that dies in the middle."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from consensus import wire
from consensus.app import store
from consensus.demo import configuration
from consensus.demo.cases import Case, vignettes
from consensus.demo.house import House, house
from consensus.demo.traffic import Traffic
from consensus.kafka.client import Client
from consensus.kafka.dump import dump
from consensus.kafka.topic_chain import verify
from consensus.ledger.transactions import Transactions
from consensus.metrics import Metrics
from consensus.recomputation import recompute
from consensus.story import tell
from consensus.types import Outcome, Verdict
from tests.end_to_end.provider import calls, control
from tests.eventually import eventually

CASES = 60


def configured(address: str, provider: str, folder: Path, ports: dict[str, int]) -> dict[str, Any]:
    """The demonstration's service, refitting from few labels, with every case for a person."""
    found = configuration.simulated(address, provider, folder, ports)
    patient = {"deadline_ms": 600_000}  # a busy machine takes its time to start a worker again
    policies = {"default": {"panel": "main", "on_disagreement": {"reasoning": "review"}, **patient}}
    drift = {"refit_labels": CASES, "min_labels": 20, "refit_interval_s": 3_600}
    telemetry = {"log_format": "console", "log_level": "info"}
    return {**found, "policies": policies, "drift": drift, "telemetry": telemetry}


def nothing() -> None:
    """Progress is not shown."""


@pytest.mark.timeout(1_200)
async def test_request_ruling_outcome_refit_and_a_better_next_verdict(tmp_path: Path) -> None:
    cases = vignettes(CASES, seed=11)
    questions = configuration.truths(cases, tmp_path / "questions.jsonl")
    async with house(tmp_path, configured, ["--questions", str(questions)]) as home:
        client = Client(home.settings.kafka, Metrics(), max_waiting=1_000)
        await client.start()
        try:
            await _loop(home, Traffic(home.settings.kafka, client), cases)
        finally:
            await client.stop()


async def _loop(home: House, traffic: Traffic, cases: list[Case]) -> None:
    """Sixty requests; the worker is killed while models are being asked and comes back under its own member id.

    The kill falls between transactions: the embedded broker reports an aborted transaction to readers for ever. Kills
    inside transactions are for a real broker.
    """
    await control(home, model="*", latency_s=8)
    deciding = asyncio.create_task(traffic.act("first", cases, nothing))
    await eventually(lambda: _asked(home, 100), seconds=120)
    home.processes["worker"].kill()
    await control(home, model="*")
    await home.start("worker")
    first = await deciding
    assert Counter(v.status for v in first.verdicts) == {"pending_review": CASES}
    assert all(v.confidence is None and v.snapshot_version is None for v in first.verdicts)

    await traffic.review(first, nothing)
    both = await _verdicts(home)
    assert Counter((v.request_id, v.version) for v in both) == {
        (case.request.id, version): 1 for case in cases for version in (1, 2)
    }
    second = {v.request_id: v for v in both if v.version == 2}
    gold = {case.request.id: case.gold for case in cases}
    assert {request_id: v.answer for request_id, v in second.items()} == gold
    assert {(v.status, v.supersedes) for v in second.values()} == {("reviewed", 1)}

    outcomes = [wire.read(Outcome, record.value) for record in await dump(home.settings.kafka, "consensus.outcomes")]
    assert Counter(o.request_id for o in outcomes) == dict.fromkeys(gold, 1)
    assert {o.source for o in outcomes} == {"blind_review"}
    await eventually(lambda: _has_rows(home, "outcomes", CASES), seconds=120)
    await eventually(lambda: _has_rows(home, "snapshots", 1), seconds=120)

    last = await _with_snapshot(traffic, cases)
    assert last.confidence is not None
    assert 0 < last.confidence < 1
    await eventually(lambda: _has_rows(home, "signals", CASES + 1), seconds=120)
    await _derived_again(home)


async def _derived_again(home: House) -> None:
    """Every decision comes out as recorded, with its snapshot and policy by version, and people's versions too (I6)."""
    keys = sorted({(verdict.tenant, verdict.request_id) for verdict in await _verdicts(home)})
    async with store(home.settings) as engine:
        for tenant, request_id in keys:
            story = await tell(engine, tenant, request_id)
            assert story is not None
            found = await recompute(engine, story, {})
            assert found.holds, (request_id, found)
        verified = await verify(home.settings.kafka, Transactions(engine, 60), topic=True, at=datetime.now(UTC))
    assert verified.faults == []


async def _with_snapshot(traffic: Traffic, cases: list[Case]) -> Verdict:
    """A verdict that names a snapshot; the worker follows within seconds."""
    async with asyncio.timeout(120):
        for number, case in enumerate(cases * 10):
            act = await traffic.act("next", [case.under(f"next-{number}")], nothing)
            if act.verdicts[0].snapshot_version is not None and act.verdicts[0].confidence is not None:
                return act.verdicts[0]
    raise AssertionError("no verdict named a snapshot")


async def _verdicts(home: House) -> list[Verdict]:
    return [wire.read(Verdict, record.value) for record in await dump(home.settings.kafka, "consensus.verdicts")]


async def _asked(home: House, least: int) -> bool:
    return await calls(home) >= least


async def _has_rows(home: House, table: str, count: int) -> bool:
    async with store(home.settings) as engine, engine.connect() as connection:
        found = await connection.execute(text(f"select count(*) from {table}"))
        return int(found.scalar_one()) >= count
