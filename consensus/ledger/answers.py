"""Paid answers, kept as they arrive: a call whose answer is here is never paid for again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import and_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from consensus.errors import Fenced
from consensus.ledger import tables
from consensus.ledger.claims import Key
from consensus.ledger.grouped import Grouped
from consensus.ledger.transactions import Transactions
from consensus.patience import patiently
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
    """Recorded answers; what arrives together shares a transaction. Every method raises StoreUnavailable.

    ``run`` names the process.
    """

    def __init__(self, transactions: Transactions, *, run: str) -> None:
        self._transactions = transactions
        self._run = run
        self._writes: Grouped[Paid, bool] = Grouped(self._insert)
        self._reads: Grouped[Payload, dict[str, Answer]] = Grouped(self._read)

    async def record(self, paid: Paid) -> bool:
        """Keep one answer; the first under a call's name stays.

        False when another process decides the request by now, or has decided it: then nothing is kept that nobody would
        ever take away, and nothing more should be paid for it here.
        """
        return await self._writes.put(paid)

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

    async def _insert(self, batch: Sequence[Paid]) -> Sequence[bool]:
        async with self._transactions.begin("recording answers") as connection:
            decided, elsewhere = await self._lost(connection, batch)
            rows = [_row(paid) for paid in batch if (paid.tenant, paid.request_id) not in decided]
            if rows:
                insert = self._transactions.insert(tables.answers).values(rows)
                await connection.execute(insert.on_conflict_do_nothing())
        return [(paid.tenant, paid.request_id) not in decided | elsewhere for paid in batch]

    async def _lost(self, connection: AsyncConnection, batch: Sequence[Paid]) -> tuple[set[Key], set[Key]]:
        """The ids that are decided, and those that another process is deciding; locked against a decision meanwhile."""
        claim, first = tables.claims.c, tables.decisions.c
        wanted = sorted({(paid.tenant, paid.request_id) for paid in batch})
        of_claim = and_(first.tenant == claim.tenant, first.request_id == claim.request_id, first.version == 1)
        query = (
            select(claim.tenant, claim.request_id, claim.run, first.version)
            .outerjoin_from(tables.claims, tables.decisions, of_claim)
            .where(tuple_(claim.tenant, claim.request_id).in_(wanted))
            .order_by(claim.tenant, claim.request_id)
            .with_for_update(read=True, of=tables.claims)
        )
        rows = (await connection.execute(query)).all()
        decided = {(row.tenant, row.request_id) for row in rows if row.version is not None}
        elsewhere = {(row.tenant, row.request_id) for row in rows if row.run not in (None, self._run)}
        return decided, elsewhere


def _row(paid: Paid) -> dict[str, object]:
    return {
        "tenant": paid.tenant,
        "request_id": paid.request_id,
        "payload_hash": paid.payload_hash,
        "call": paid.call,
        "answer": paid.answer.model_dump_json().encode(),
    }


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

    async def record(self, key: str, answer: Answer, *, deadline: float = 0.0) -> None:
        """Keep an answer; while the store is away, try again until ``deadline`` (seconds of the running loop's clock).

        An error here would cancel the other paid calls of the panel. Raises StoreUnavailable at the deadline; the
        answer then waits for `save`. Raises Fenced when another process decides.
        """
        self.known[key] = self._unsaved[key] = answer
        await patiently(lambda: self._save(key, answer), "recording an answer", until=deadline)

    async def save(self) -> None:
        """Write what an earlier failure left unsaved. Raises StoreUnavailable and Fenced."""
        for key, answer in list(self._unsaved.items()):
            await self._save(key, answer)

    async def _save(self, key: str, answer: Answer) -> None:
        ours = await self._answers.record(Paid(*self._payload, key, answer))
        self._unsaved.pop(key, None)
        if not ours:
            raise Fenced("another process has taken the request over")
