"""Paid answers, kept as they arrive: a call whose answer is here is never paid for again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select, tuple_

from consensus.ledger import tables
from consensus.ledger.grouped import Grouped
from consensus.ledger.transactions import Transactions
from consensus.types import Answer

T = tables.answers.c

Payload = tuple[str, str, str]
"""Tenant, request id and payload hash."""


@dataclass(frozen=True)
class Paid:
    """One answer under the name of its call."""

    tenant: str
    request_id: str
    payload_hash: str
    call: str
    answer: Answer


class Answers:
    """Recorded answers; what arrives together shares a transaction. Every method raises StoreUnavailable."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions
        self._writes: Grouped[Paid, None] = Grouped(self._insert)
        self._reads: Grouped[Payload, dict[str, Answer]] = Grouped(self._read)

    async def record(self, paid: Paid) -> None:
        """Keep one answer; the first under a call's name stays."""
        await self._writes.put(paid)

    async def recorded(self, payload: Payload) -> dict[str, Answer]:
        """Answers of one payload by call."""
        return await self._reads.put(payload)

    async def _read(self, batch: Sequence[Payload]) -> Sequence[dict[str, Answer]]:
        found: dict[Payload, dict[str, Answer]] = {payload: {} for payload in batch}
        query = select(tables.answers).where(tuple_(T.tenant, T.request_id, T.payload_hash).in_(sorted(found)))
        async with self._transactions.read("reading answers") as connection:
            for row in await connection.execute(query):
                answer = Answer.model_validate_json(row.answer)
                found[row.tenant, row.request_id, row.payload_hash][row.call] = answer
        return [found[payload] for payload in batch]

    async def _insert(self, batch: Sequence[Paid]) -> Sequence[None]:
        rows = [
            {
                "tenant": paid.tenant,
                "request_id": paid.request_id,
                "payload_hash": paid.payload_hash,
                "call": paid.call,
                "answer": paid.answer.model_dump_json().encode(),
            }
            for paid in batch
        ]
        async with self._transactions.begin("recording answers") as connection:
            await connection.execute(self._transactions.insert(tables.answers).values(rows).on_conflict_do_nothing())
        return [None] * len(batch)


class StoredLog:
    """The call log of one request on the ledger (models.protocol.CallLog).

    An answer whose write failed is kept in memory too, so that another try in this process does not pay for it again.
    """

    def __init__(self, answers: Answers, payload: Payload, known: dict[str, Answer] | None = None) -> None:
        self._answers = answers
        self._payload = payload
        self._unsaved: dict[str, Answer] = {}
        self.known = dict(known or {})

    def recorded(self, key: str) -> Answer | None:
        return self.known.get(key)

    async def record(self, key: str, answer: Answer) -> None:
        """Raises StoreUnavailable; the answer then waits for `save`."""
        self.known[key] = self._unsaved[key] = answer
        await self._save(key, answer)

    async def save(self) -> None:
        """Write what an earlier failure left unsaved. Raises StoreUnavailable."""
        for key, answer in list(self._unsaved.items()):
            await self._save(key, answer)

    async def _save(self, key: str, answer: Answer) -> None:
        await self._answers.record(Paid(*self._payload, key, answer))
        self._unsaved.pop(key, None)
