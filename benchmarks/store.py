"""How fast the calibration store takes records in, and how long a refit of many labelled decisions takes.

    python -m benchmarks.store                       SQLite, 20,000 events, refit of 100,000 labels
    python -m benchmarks.store --postgres            a throw-away PostgreSQL (Debian's binaries)
    python -m benchmarks.store --labels 1000000      refit of a million

Prints JSON: events per second, seconds per step of the refit, CPU of this process, peak resident memory in MB.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy.ext.asyncio import AsyncEngine

from calibration.ballots import NoVote
from calibration.refit import refit
from calibration.store import outcomes, signals
from calibration.store.engine import create_engine, reading
from calibration.store.gathering import gather
from calibration.store.migrate import migrate
from calibration.store.outcomes import LabelRow
from calibration.store.panels import Member
from calibration.store.signals import SignalRow
from consensus.kafka.calibrator import BATCH
from consensus.kafka.ingest import Ingest
from consensus.kafka.intake import Record
from consensus.ledger import Ledger
from consensus.ledger.transactions import Transactions
from tests.loop_records import NOON, TOPICS, Log, outcome, signal, verdict
from tests.postgres import binaries, fresh_database, server

MODELS = ("a", "b", "c", "d", "e")
SKILLS = np.array([0.85, 0.8, 0.75, 0.7, 0.6])
DOMAINS = ("law", "health", "business", "physics")
K = 8


def messages(events: int) -> Iterator[Any]:
    """Verdict and signal of each decision of five members, and an outcome for every fourth."""
    chosen = ("A", "A", "B", "C", None)
    for i in range(events * 4 // 9):
        yield verdict(f"r-{i}", chosen)
        yield signal(f"r-{i}", chosen)
        if i % 4 == 0:
            yield outcome(f"r-{i}", "ABC"[i % 3])


async def ingestion(engine: AsyncEngine, events: int) -> dict[str, float]:
    """Events per second of CPU-bound reading and store transactions, as the calibrator does them, ledger included."""
    log = Log()
    records = [log.record(message) for message in messages(events)]
    into = Ingest(Transactions(engine, 60), TOPICS, Ledger(engine).decisions.mark_committed)
    position: dict[tuple[str, int], int | None] = {}
    begun, cpu = time.perf_counter(), time.process_time()
    for start in range(0, len(records), BATCH):
        batch = records[start : start + BATCH]
        await into.store(batch, {place: position.get(place) for place in _places(batch)})
        position.update({(record.topic, record.partition): record.offset + 1 for record in batch})
    seconds = time.perf_counter() - begun
    return {
        "events": len(records),
        "events_per_second": round(len(records) / seconds),
        "cpu_us_per_event": round((time.process_time() - cpu) / len(records) * 1e6),
    }


def _places(batch: list[Record]) -> set[tuple[str, int]]:
    return {(record.topic, record.partition) for record in batch}


def rows(n: int) -> Iterator[tuple[SignalRow, LabelRow]]:
    """Decisions of five members of known skill with their labels."""
    rng = np.random.default_rng(1)
    members = tuple(Member(name, f"family-{name}", f"{name}-v1", "none") for name in MODELS)
    for i in range(n):
        truth = int(rng.integers(K))
        right = rng.random(len(MODELS)) < SKILLS
        votes = np.where(right, truth, (truth + rng.integers(1, K, len(MODELS))) % K)
        votes[rng.random(len(MODELS)) < 0.03] = int(NoVote.ABSTAINED)
        at = NOON + timedelta(seconds=i)
        name = f"r-{i:08}"
        signal_row = SignalRow(
            event_id=f"e-{i}", tenant="default", request_id=name, version=1, domain=DOMAINS[i % 4], class_name="x",
            answer_type="choice", open_set=False, candidates=K, members=members, votes=votes.tolist(),
            confidences=[float("nan")] * len(MODELS), prompt_hash=None, status="accepted", decided_at=at, raw=b"{}",
        )  # fmt: skip
        yield signal_row, LabelRow("default", name, truth, at)


async def fill(engine: AsyncEngine, n: int) -> None:
    """Put ``n`` labelled decisions into the store."""
    chunk: list[tuple[SignalRow, LabelRow]] = []
    for pair in rows(n):
        chunk.append(pair)
        if len(chunk) == 5_000 or int(pair[0].event_id[2:]) == n - 1:
            async with engine.begin() as connection:
                await signals.add(connection, [one for one, _ in chunk])
                await outcomes.set_labels(connection, {(label.tenant, label.request_id): label for _, label in chunk})
            chunk = []


async def refitting(engine: AsyncEngine, labels: int) -> dict[str, float]:
    """Seconds to read, to lay out and to fit, and the version that came out."""
    await fill(engine, labels)
    begun, cpu = time.perf_counter(), time.process_time()
    async with reading(engine).connect() as connection:
        gathering = await gather(connection)
    read = time.perf_counter()
    ballots = gathering.ballots()
    laid_out = time.perf_counter()
    found = refit(ballots, current=None, fitted_at=datetime(2026, 3, 1, tzinfo=UTC), min_labels=30)
    fitted = time.perf_counter()
    assert found is not None
    return {
        "labels_in_store": labels,
        "labels_used": len(ballots),
        "read_seconds": round(read - begun, 2),
        "layout_seconds": round(laid_out - read, 2),
        "fit_seconds": round(fitted - laid_out, 2),
        "total_seconds": round(fitted - begun, 2),
        "total_cpu_seconds": round(time.process_time() - cpu, 2),
    }


async def measure(url: str, events: int, labels: int) -> dict[str, Any]:
    """Both measurements on one empty store."""
    engine = create_engine(url)
    try:
        await migrate(engine)
        taken = await ingestion(engine, events)
        async with engine.begin() as connection:
            for table in ("signals", "labels", "outcomes"):
                await connection.exec_driver_sql(f"DELETE FROM {table}")
        fitted = await refitting(engine, labels) if labels else None
    finally:
        await engine.dispose()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return {"store": engine.dialect.name, "ingestion": taken, "refit": fitted, "peak_rss_mb": peak}


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--postgres", action="store_true")
    parser.add_argument("--events", type=int, default=20_000)
    parser.add_argument("--labels", type=int, default=100_000)
    options = parser.parse_args()
    with ExitStack() as stack:
        folder = binaries()
        if options.postgres and folder is None:
            parser.error("PostgreSQL is not installed (no /usr/lib/postgresql/*/bin)")
        if options.postgres and folder is not None:
            url = asyncio.run(fresh_database(stack.enter_context(server(folder))))
        else:
            home = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            url = f"sqlite+aiosqlite:///{home / 'store.sqlite'}"
        print(json.dumps(asyncio.run(measure(url, options.events, options.labels)), indent=2))


if __name__ == "__main__":
    main()
