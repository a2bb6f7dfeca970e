"""Outcomes: every ground truth that ever arrived, and the one label that they make per request.

A later outcome of the same source supersedes an earlier one. Two sources that contradict one another make no label
until one of them is corrected or a third decides; feedback makes none ever. An outcome for an unknown request is kept
until its signal arrives.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import and_, bindparam, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from calibration.store import tables
from calibration.store.writing import among, chunks, insert_new, insert_or_replace

UNUSABLE = -3
"""``truth`` of a label that the answer spec does not allow, or that cannot be compared with the candidates."""

FEEDBACK = "feedback"

Key = tuple[str, str]
"""(tenant, request id)."""


@dataclass(frozen=True)
class OutcomeRow:
    """One outcome message. ``digest`` is the SHA-256 of its canonical bytes in hex."""

    digest: str
    outcome_id: str
    tenant: str
    request_id: str
    source: str
    propensity: float | None
    observed_at: datetime
    raw: bytes


class Recorded(NamedTuple):
    """An outcome as stored. ``truth``: a candidate, NONE_OF_THESE, UNUSABLE, or ``None`` without a signal."""

    digest: str
    outcome_id: str
    tenant: str
    request_id: str
    source: str
    observed_at: datetime
    truth: int | None
    raw: bytes


class LabelRow(NamedTuple):
    """What the outcomes of one request say together. ``truth`` ``None``: they contradict one another."""

    tenant: str
    request_id: str
    truth: int | None
    observed_at: datetime


async def add(connection: AsyncConnection, rows: Iterable[OutcomeRow]) -> None:
    """Store the outcomes that are new."""
    await insert_new(connection, tables.outcomes, (vars(row) for row in rows))


async def of_requests(connection: AsyncConnection, request_ids: Iterable[str]) -> dict[Key, list[Recorded]]:
    """The outcomes of these requests by (tenant, request id), for all tenants, oldest first."""
    table = tables.outcomes
    found: dict[Key, list[Recorded]] = {}
    for ids in chunks(request_ids):
        query = select(*(table.c[name] for name in Recorded._fields)).where(among(connection, table.c.request_id, ids))
        # Ties are ordered by content, so that every store agrees on which outcome is the latest.
        for row in await connection.execute(query.order_by(table.c.observed_at, table.c.digest)):
            found.setdefault((row.tenant, row.request_id), []).append(Recorded._make(row))
    return found


async def set_truths(connection: AsyncConnection, truths: Mapping[str, int]) -> None:
    """Store the truth of outcomes by their digest."""
    if not truths:
        return
    statement = update(tables.outcomes).where(tables.outcomes.c.digest == bindparam("of")).values(truth=bindparam("is"))
    await connection.execute(statement, [{"of": digest, "is": truth} for digest, truth in truths.items()])


def adjudicate(outcomes: Sequence[Recorded]) -> LabelRow | None:
    """The label that the outcomes of one request make, ``None`` where they make none.

    Takes the latest of each source, leaves out feedback, unusable labels and outcomes without a signal. What more than
    half of the sources say holds.
    """
    latest = {outcome.source: outcome for outcome in outcomes}  # given oldest first
    counted = [o for o in latest.values() if o.source != FEEDBACK and o.truth is not None and o.truth != UNUSABLE]
    if not counted:
        return None
    truth, sources = Counter(outcome.truth for outcome in counted).most_common(1)[0]
    newest = max(outcome.observed_at for outcome in counted)
    first = counted[0]
    return LabelRow(first.tenant, first.request_id, truth if 2 * sources > len(counted) else None, newest)


async def set_labels(connection: AsyncConnection, labels: Mapping[Key, LabelRow | None]) -> None:
    """Replace the labels of these requests; ``None`` takes one away."""
    table = tables.labels
    if gone := [{"of": tenant, "about": name} for (tenant, name), label in labels.items() if label is None]:
        here = and_(table.c.tenant == bindparam("of"), table.c.request_id == bindparam("about"))
        await connection.execute(table.delete().where(here), gone)
    await insert_or_replace(connection, table, (label._asdict() for label in labels.values() if label is not None))


class Counts(NamedTuple):
    """How many requests have a label, have contradicting ones, and how many outcomes wait for their request."""

    labelled: int
    contradicted: int
    unknown: int
    unusable: int


async def counts(connection: AsyncConnection) -> Counts:
    """State of the ground truth, for reports and for the refit's trigger."""
    label, outcome = tables.labels, tables.outcomes
    labels = (await connection.execute(select(func.count(label.c.truth), func.count()))).one()
    waiting = select(func.count()).where(outcome.c.truth.is_(None))
    unusable = select(func.count()).where(outcome.c.truth == UNUSABLE)
    return Counts(
        labels[0],
        labels[1] - labels[0],
        (await connection.execute(waiting)).scalar_one(),
        (await connection.execute(unusable)).scalar_one(),
    )


class Contradiction(NamedTuple):
    """A request whose sources disagree. ``said``: the latest truth of each source, as (source, candidate)."""

    tenant: str
    request_id: str
    observed_at: datetime
    said: tuple[tuple[str, int], ...]


async def contradictions(connection: AsyncConnection, *, most: int) -> list[Contradiction]:
    """The requests that wait for adjudication, the newest ``most`` first."""
    table = tables.labels
    query = select(table.c.tenant, table.c.request_id, table.c.observed_at).where(table.c.truth.is_(None))
    rows = (await connection.execute(query.order_by(table.c.observed_at.desc(), table.c.request_id).limit(most))).all()
    groups = await of_requests(connection, (row.request_id for row in rows))
    return [Contradiction(*row, said=_said(groups.get((row.tenant, row.request_id), ()))) for row in rows]


def _said(group: Iterable[Recorded]) -> tuple[tuple[str, int], ...]:
    latest = {one.source: one.truth for one in group if one.source != FEEDBACK}
    said = ((source, truth) for source, truth in sorted(latest.items()) if truth is not None)
    return tuple((source, truth) for source, truth in said if truth != UNUSABLE)


async def feedback(connection: AsyncConnection, *, most: int) -> dict[Key, int]:
    """What the latest feedback says of each request, as a candidate; of the newest ``most`` messages."""
    table = tables.outcomes
    query = select(table.c.tenant, table.c.request_id, table.c.truth).where(
        table.c.source == FEEDBACK, table.c.truth.is_not(None), table.c.truth != UNUSABLE
    )
    newest = query.order_by(table.c.observed_at.desc(), table.c.digest.desc()).limit(most)
    rows = (await connection.execute(newest)).all()
    return {(row.tenant, row.request_id): row.truth for row in reversed(rows)}


async def evidence(connection: AsyncConnection) -> int:
    """Number of outcomes that may fit (all but feedback): it grows with every label and every correction."""
    query = select(func.count()).where(and_(tables.outcomes.c.source != FEEDBACK, tables.outcomes.c.truth.is_not(None)))
    return int((await connection.execute(query)).scalar_one())
