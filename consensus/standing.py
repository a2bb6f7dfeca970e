"""Where a deployment stands, gathered from the store and the ledger into one JSON value that a report shows.

Texts come from the ledger alone, so what was erased or forgotten there is in no report.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from calibration import error_groups, reliability, standing
from calibration.error_groups import Question
from calibration.snapshot import Snapshot
from calibration.standing import Decided
from calibration.store import alarms, classes, outcomes, rollbacks, snapshots, tables
from calibration.store.certification import overview
from calibration.store.classes import Decided as Row
from calibration.store.gathering import gather
from calibration.store.outcomes import Contradiction, Key
from consensus import wire
from consensus.ballot import UNASKED
from consensus.decision import question_of
from consensus.explain import inert
from consensus.ledger import tables as ledger
from consensus.ledger.transactions import Transactions
from consensus.types import Kind, Request, Signal, Status

MOST = 20_000
"""Latest decisions of each class that are looked at."""

MOST_TEXTS = 5_000
"""Latest disagreements whose questions are grouped."""

LISTED = 20
EXAMPLE_CHARACTERS = 300
BITE = 500
DISAGREEMENTS = (Kind.REASONING, Kind.HIGH_CONFIDENCE)


async def report(engine: AsyncEngine, name: str, now: datetime, *, timeout_s: float) -> dict[str, Any]:
    """Everything that `calibration.standing_page` shows. ``name``: of the snapshot that decides.

    Raises StoreUnavailable.
    """
    store = Transactions(engine, timeout_s)
    async with store.read("reading where things stand") as connection:
        rows = {cls: await classes.decisions(connection, cls, most=MOST) for cls in await _class_names(connection)}
        feedback = await outcomes.feedback(connection, most=MOST)
        certification = await overview(connection, now)
        counts = await outcomes.counts(connection)
        ballots = (await gather(connection)).ballots()
        raw = await snapshots.current(connection, name)
        waiting = await outcomes.contradictions(connection, most=LISTED)
        told = await rollbacks.history(connection)
        raised = await alarms.newest(connection, LISTED)
    decided = await asyncio.to_thread(_all, rows, feedback)  # outside: PostgreSQL ends sessions that idle in between
    async with store.read("reading questions") as connection:
        texts = await _texts(connection, _disagreements(decided))
    plain = [one for _, one in decided.values()]
    return {
        "generated_at": now.isoformat(),
        "decisions": len(plain),
        "labels": counts._asdict(),
        "snapshot": None if raw is None else _snapshot(Snapshot.from_json(raw), now),
        "reliability": [one.model_dump() for one in await asyncio.to_thread(reliability.fit, ballots)],
        "calibration": standing.calibration(plain),
        "audited": standing.audited(plain),
        **certification,
        "what_if": standing.what_if(plain),
        "costs": standing.costs(plain),
        "feedback": standing.feedback(plain),
        "disagreements": await asyncio.to_thread(_groups, decided, texts),
        "contradictions": [_contradiction(one) for one in waiting],
        "rollbacks": [one.model_dump(mode="json") for one in told],
        "alarms": [{**one, "raised_at": str(one["raised_at"])} for one in raised],
    }


async def _class_names(connection: AsyncConnection) -> list[str]:
    column = tables.signals.c.class_name
    return list((await connection.execute(select(column).distinct().order_by(column))).scalars())


def _all(rows: Mapping[str, Sequence[Row]], feedback: Mapping[Key, int]) -> dict[Key, tuple[Signal, Decided]]:
    found = {}
    for row in (row for some in rows.values() for row in some):
        signal = wire.read_own(Signal, row.raw)
        key = (row.tenant, row.request_id)
        found[key] = (signal, _decided(signal, row.truth, feedback.get(key)))
    return found


def _decided(signal: Signal, truth: int | None, feedback: int | None) -> Decided:
    top = signal.candidates.index(signal.top) if signal.top in signal.candidates else None
    return Decided(
        cls=signal.class_,
        domain=signal.domain,
        kind=signal.kind.value,
        status=signal.status.value,
        decided_at=signal.decided_at,
        confidence=signal.confidence,
        right=None if truth is None or top is None else truth == top,
        feedback=None if feedback is None or top is None else feedback == top,
        cost=signal.cost,
        calls=sum(entry.label_kind not in UNASKED for entry in signal.ballot),
        audit_rate=signal.audit.propensity,
        audited=signal.audit.selected and signal.status is Status.ACCEPTED,
    )


def _disagreements(decided: Mapping[Key, tuple[Signal, Decided]]) -> list[Key]:
    """The latest disagreements, newest first."""
    found = [(one.decided_at, key) for key, (signal, one) in decided.items() if signal.kind in DISAGREEMENTS]
    return [key for _, key in sorted(found, reverse=True)[:MOST_TEXTS]]


async def _texts(connection: AsyncConnection, keys: Sequence[Key]) -> dict[Key, str]:
    """The questions of these requests, as far as the ledger still has them."""
    table = ledger.decisions.c
    found: dict[Key, str] = {}
    for start in range(0, len(keys), BITE):
        some = tuple_(table.tenant, table.request_id).in_(keys[start : start + BITE])
        query = select(table.tenant, table.request_id, table.request).where(some, table.request.is_not(None))
        for row in await connection.execute(query):
            found[row.tenant, row.request_id] = question_of(wire.read_own(Request, row.request))
    return found


def _groups(decided: Mapping[Key, tuple[Signal, Decided]], texts: Mapping[Key, str]) -> dict[str, Any]:
    asked = _disagreements(decided)
    questions = [
        Question(texts[key], decided[key][1].domain, _wrong(decided[key][1])) for key in sorted(asked) if key in texts
    ]
    groups = [asdict(group) for group in error_groups.group(questions)]
    for group in groups:
        group["examples"] = _shown(group["examples"])
        group["terms"] = _shown(group["terms"])
        group["domains"] = list(group["domains"])
    return {"decisions": len(asked), "with_text": len(questions), "groups": groups}


def _wrong(one: Decided) -> bool | None:
    return None if one.right is None else not one.right


def _shown(texts: Iterable[str]) -> list[str]:
    """What others wrote, as one line without control and bidirectional characters."""
    return [inert(text, EXAMPLE_CHARACTERS) for text in texts]


def _contradiction(one: Contradiction) -> dict[str, Any]:
    plain = {"observed_at": one.observed_at.isoformat(), "said": [list(pair) for pair in one.said]}
    return one._asdict() | plain


def _snapshot(snapshot: Snapshot, now: datetime) -> dict[str, Any]:
    return {
        "version": snapshot.version,
        "labels": snapshot.labels,
        "fitted_at": snapshot.fitted_at.isoformat(),
        "age_days": (now - snapshot.fitted_at) / timedelta(days=1),
    }
