"""Forgetting by age and class: ids with what hangs on them, decided ballots, ground truths; each in small bites.

An id that has a verdict is remembered for as long as its decision is kept: were its claim to go first, the same id
would be decided again and the topic would hold two verdicts of version 1 (I2).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, exists, func, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from calibration.store import tables as store
from calibration.store.writing import serialise
from consensus.ledger import tables
from consensus.ledger.claims import Key
from consensus.ledger.transactions import Transactions, to_the_end
from consensus.settings import RetentionSettings

BITE = 500
"""Requests forgotten in one transaction, so that nobody waits long behind it."""

LOOK_BACK = timedelta(days=7)

TABLES = (tables.answers, tables.decisions, tables.rulings, tables.claims)
"""All that the ledger holds of one request."""

SIGNALS, OUTCOMES, LABELS, VERDICTS = store.signals.c, store.outcomes.c, store.labels.c, store.verdicts.c
CLAIMS, DECISIONS = tables.claims.c, tables.decisions.c


@dataclass(frozen=True)
class Horizon:
    """Requests of these classes (of all others, where ``excluded``) that are older than ``before``."""

    classes: tuple[str, ...]
    excluded: bool
    before: datetime

    def covers(self, class_name: Any) -> ColumnElement[bool]:
        """Whether a column of class names is one of them."""
        one_of: ColumnElement[bool] = class_name.in_(self.classes)
        return ~one_of if self.excluded else one_of


def horizons(kept: RetentionSettings, what: str, now: datetime, *, least_days: float = 0.0) -> Iterator[Horizon]:
    """The horizons of ``decisions``, ``signals`` or ``outcomes``; none where something is kept for ever.

    ``least_days``: whatever the settings say, nothing younger is forgotten.
    """
    field = f"{what}_days"
    own = {name: days for name, days in kept.classes.items() if getattr(days, field) is not None}
    ages: list[tuple[tuple[str, ...], bool, float | None]] = [
        ((name,), False, getattr(days, field)) for name, days in sorted(own.items())
    ]
    ages.append((tuple(sorted(own)), True, getattr(kept, field)))
    for classes, excluded, days in ages:
        if days is not None:
            yield Horizon(classes, excluded, now - timedelta(days=max(days, least_days)))


class Retention:
    """Deletes what is older than its horizon. Every method raises StoreUnavailable."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    async def forget(self, now: datetime, claim_days: float, kept: RetentionSettings) -> int:
        """One bite of everything that is too old; returns how many requests. Call again until it is 0."""
        gone = await self.abandoned(now - timedelta(days=claim_days))
        for horizon in horizons(kept, "decisions", now, least_days=claim_days):
            gone += await self.decisions(horizon)
        for horizon in horizons(kept, "signals", now):
            gone += await self.signals(horizon)
        for horizon in horizons(kept, "outcomes", now):
            gone += await self.outcomes(horizon)
        return gone

    @to_the_end
    async def abandoned(self, before: datetime) -> int:
        """Delete ids claimed before ``before`` that nobody is deciding and that have no decision: dead letters.

        Looks back for `LOOK_BACK` only: whatever is older was looked at, and goes with the decisions at the latest.
        """
        claimed = CLAIMS.claimed_at.between(before - LOOK_BACK, before)
        return await self._forget_ids(and_(claimed, ~_decided()))

    @to_the_end
    async def decisions(self, horizon: Horizon) -> int:
        """Delete ids with request, answers, versions and rulings; one of no known class is of no listed one."""
        of_class = _signal_of(CLAIMS)
        known = exists(select(SIGNALS.event_id).where(of_class, SIGNALS.class_name.in_(horizon.classes)))
        chosen = ~known if horizon.excluded else known
        return await self._forget_ids(and_(CLAIMS.claimed_at < horizon.before, chosen))

    @to_the_end
    async def signals(self, horizon: Horizon) -> int:
        """Delete signals with their outcomes and labels, and the bytes of their verdict records.

        Digest and chain of a record stay, so the audit chain goes on verifying.
        """
        old = and_(SIGNALS.decided_at < horizon.before, horizon.covers(SIGNALS.class_name))
        query = select(SIGNALS.tenant, SIGNALS.request_id).where(old).distinct().limit(BITE)
        async with self._transactions.begin("forgetting signals") as connection:
            await serialise(connection)
            keys = await _keys(connection, query)
            if keys:
                await _delete(connection, (store.signals, store.outcomes, store.labels), keys)
                of_keys = and_(_among(store.verdicts, keys), VERDICTS.raw.is_not(None))
                await connection.execute(update(store.verdicts).where(of_keys).values(raw=None))
        return len(keys)

    @to_the_end
    async def outcomes(self, horizon: Horizon) -> int:
        """Delete the outcomes and the label of requests whose newest outcome is too old, known requests or not."""
        of_class = exists(select(SIGNALS.event_id).where(_signal_of(OUTCOMES), SIGNALS.class_name.in_(horizon.classes)))
        group = select(OUTCOMES.tenant, OUTCOMES.request_id).where(~of_class if horizon.excluded else of_class)
        newest = func.max(OUTCOMES.observed_at, type_=store.UtcTime)
        old = group.group_by(OUTCOMES.tenant, OUTCOMES.request_id).having(newest < horizon.before).limit(BITE)
        async with self._transactions.begin("forgetting outcomes") as connection:
            await serialise(connection)
            keys = await _keys(connection, old)
            if keys:
                await _delete(connection, (store.outcomes, store.labels), keys)
        return len(keys)

    async def _forget_ids(self, chosen: ColumnElement[bool]) -> int:
        query = select(CLAIMS.tenant, CLAIMS.request_id).where(chosen, CLAIMS.run.is_(None)).limit(BITE)
        async with self._transactions.begin("forgetting ids") as connection:
            keys = await _keys(connection, query)
            if keys:
                await _delete(connection, TABLES, keys)
        return len(keys)


async def _keys(connection: AsyncConnection, query: Any) -> list[Key]:
    return [(row.tenant, row.request_id) for row in await connection.execute(query)]


async def _delete(connection: AsyncConnection, some: Collection[Any], keys: list[Key]) -> None:
    for table in some:
        await connection.execute(delete(table).where(_among(table, keys)))


def _among(table: Any, keys: list[Key]) -> ColumnElement[bool]:
    # Some tables have an index on the id alone.
    ids = sorted({request_id for _, request_id in keys})
    return and_(table.c.request_id.in_(ids), tuple_(table.c.tenant, table.c.request_id).in_(keys))


def _decided() -> ColumnElement[bool]:
    return exists(
        select(DECISIONS.version).where(
            DECISIONS.tenant == CLAIMS.tenant, DECISIONS.request_id == CLAIMS.request_id, DECISIONS.version == 1
        )
    )


def _signal_of(columns: Any) -> ColumnElement[bool]:
    return and_(SIGNALS.tenant == columns.tenant, SIGNALS.request_id == columns.request_id)
