"""One batch of records into the calibration store: rows, chain, labels and offsets in one transaction.

The offsets lie in the store, not in Kafka, so that a crash at any point repeats nothing and loses nothing. A batch is
written only if the store stands exactly where the batch begins: of two processes that believe to own a partition, one
writes and the other finds out.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from sqlalchemy.ext.asyncio import AsyncConnection

from calibration.store import alarms, campaigns, classes, offsets, outcomes, rollbacks, signals, snapshots, verdicts
from calibration.store.alarms import Alarm, subject_of
from calibration.store.offsets import Place
from calibration.store.outcomes import Key, OutcomeRow, Recorded
from calibration.store.signals import SignalRow
from calibration.store.writing import serialise
from consensus import textless, wire
from consensus.kafka.intake import Batch, Record, read
from consensus.kafka.settling import settle
from consensus.kafka.topics import Topics
from consensus.ledger import erasures
from consensus.ledger.erasures import Truths
from consensus.ledger.transactions import Transactions
from consensus.types import Outcome, Signal

Mark = Callable[[Sequence[tuple[str, str, int]]], Awaitable[None]]
"""Marks versions (tenant, request id, version) as committed in the ledger: their verdicts are on the topic."""


class Moved(Exception):
    """Another process has ingested these partitions in the meantime: read the offsets again."""


class Ingest:
    """Writes batches of records. ``models``: the configured names, ``None`` for any."""

    def __init__(
        self, transactions: Transactions, topics: Topics, mark: Mark, models: Collection[str] | None = None
    ) -> None:
        self._models = models
        self._transactions = transactions
        self._topics = topics
        self._mark = mark

    async def offsets(self) -> dict[Place, int]:
        """The next offset to ingest of every partition that has been read. Raises StoreUnavailable."""
        async with self._transactions.read("reading offsets") as connection:
            return await offsets.read(connection)

    async def store(self, records: Sequence[Record], begin: Mapping[Place, int | None]) -> None:
        """Write the records of some partitions, ascending in each; ``begin`` is where the caller thinks they start.

        ``None``: nothing of that partition was ever ingested. Raises Moved and StoreUnavailable; then nothing is
        written but marks, which may be repeated.
        """
        batch = await asyncio.to_thread(read, records, self._topics, self._models)
        await self._mark([row.key for row in batch.verdicts if row.key is not None])
        async with self._transactions.begin("ingesting") as connection:
            await serialise(connection)
            stored = await offsets.read(connection)
            if any(stored.get(place) != offset for place, offset in begin.items()):
                raise Moved
            await write(connection, batch)
            await offsets.write(connection, _following(records))


async def write(connection: AsyncConnection, batch: Batch) -> None:
    """Write the rows of one batch and what follows from them: chain, labels, alarms.

    What is about an erased request is stored without texts, and an outcome that came after the erasure not at all: the
    answers that it could be compared with are gone.
    """
    if erased := await erasures.of(connection, batch.keys):
        batch = await asyncio.to_thread(_textless, batch, erased)
    await verdicts.append(connection, batch.verdicts)
    await alarms.add(connection, await _changed(connection, batch))
    await signals.add(connection, batch.signals)
    await outcomes.add(connection, batch.outcomes)
    for row in batch.snapshots:
        await snapshots.put(connection, row)
    for record in batch.campaigns:
        await campaigns.put(connection, record)
    await classes.add(connection, batch.classes)
    await rollbacks.add(connection, batch.rollbacks)
    await resolve(connection, batch.touched)
    await alarms.add(connection, batch.alarms)


def _textless(batch: Batch, erased: Mapping[Key, Truths]) -> Batch:
    outcomes = [row for row in batch.outcomes if row.digest in erased.get((row.tenant, row.request_id), (row.digest,))]
    return replace(
        batch,
        verdicts=[replace(row, erased=(row.tenant, row.request_id) in erased) for row in batch.verdicts],
        signals=[_textless_signal(row) if (row.tenant, row.request_id) in erased else row for row in batch.signals],
        outcomes=[_textless_outcome(row, erased.get((row.tenant, row.request_id))) for row in outcomes],
    )


def _textless_signal(row: SignalRow) -> SignalRow:
    return replace(row, raw=wire.write(textless.signal(wire.read_own(Signal, row.raw))))


def _textless_outcome(row: OutcomeRow, truths: Truths | None) -> OutcomeRow:
    if truths is None:
        return row
    return replace(row, raw=wire.write(textless.outcome(wire.read_own(Outcome, row.raw), truths[row.digest])))


def _following(records: Sequence[Record]) -> dict[Place, int]:
    return {(record.topic, record.partition): record.offset + 1 for record in records}


async def _changed(connection: AsyncConnection, batch: Batch) -> list[Alarm]:
    """Alarms for verdicts that were published twice under one version with different bytes."""
    request_ids = (row.request_id for row in batch.verdicts if row.request_id is not None)
    found = await verdicts.changed(connection, request_ids)
    return [
        Alarm(
            severity=0,
            code="verdict_changed",
            subject=subject_of(row.tenant, row.request_id),
            detail=f"version {row.version} was published with different contents",
            cause=f"{row.tenant}\n{row.request_id}\n{row.version}",
            raised_at=row.decided_at,
        )
        for row in found
    ]


async def resolve(connection: AsyncConnection, request_ids: Iterable[str]) -> None:
    """Work out anew what the outcomes of these requests say, whichever of signal and outcome came first."""
    recorded = await outcomes.of_requests(connection, request_ids)
    firsts = await signals.first_of(connection, (request_id for _, request_id in recorded))
    settled = await asyncio.to_thread(settle, recorded, firsts)
    await outcomes.set_truths(connection, _new_truths(recorded, settled.groups))
    await outcomes.set_labels(connection, {key: outcomes.adjudicate(group) for key, group in settled.groups.items()})
    await alarms.add(connection, settled.alarms)


def _new_truths(before: Mapping[Key, list[Recorded]], after: Mapping[Key, list[Recorded]]) -> dict[str, int]:
    """Truths that are not stored yet, by the outcome's digest."""
    pairs = [pair for key, group in after.items() for pair in zip(before[key], group, strict=True)]
    return {new.digest: new.truth for old, new in pairs if new.truth is not None and new.truth != old.truth}
