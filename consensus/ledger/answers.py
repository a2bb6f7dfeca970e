"""Paid answers, kept as they arrive: a call whose answer is here is never paid for again."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import and_, bindparam, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from consensus.errors import Fenced
from consensus.ledger import tables
from consensus.ledger.claims import Key
from consensus.ledger.grouped import Grouped
from consensus.ledger.transactions import Transactions
from consensus.patience import patiently
from consensus.types import Answer

T = tables.answers.c
C = tables.claims.c
D = tables.decisions.c

Payload = tuple[str, str, str]
"""Tenant, request id and payload hash."""

SURE_S = 1.0
"""How long a claim is taken to be ours still, where nothing is said of when others take over."""

_first = and_(D.tenant == C.tenant, D.request_id == C.request_id, D.version == 1)
HOLDERS = (
    select(C.tenant, C.request_id, C.run, C.finishing, D.version)
    .outerjoin_from(tables.claims, tables.decisions, _first)
    .where(tuple_(C.tenant, C.request_id).in_(bindparam("keys", expanding=True)))
    .order_by(C.tenant, C.request_id)
)
LOCKED = HOLDERS.with_for_update(read=True, of=tables.claims)
RECORDED = select(tables.answers).where(
    tuple_(T.tenant, T.request_id, T.payload_hash).in_(bindparam("payloads", expanding=True))
)

LOOKS = 2
"""Looks into the store before one call. A look that took too long itself is old when it ends; a store that is slow for
good must not keep everybody from being asked."""


@dataclass(frozen=True)
class Paid:
    """One answer under the name of its call."""

    tenant: str
    request_id: str
    payload_hash: str
    call: str
    answer: Answer


class Found(NamedTuple):
    """Answers by call; ``ours``: no other process decides the request, or has decided it."""

    answers: dict[str, Answer]
    ours: bool


class Answers:
    """Recorded answers; what arrives together shares a transaction. Every method raises StoreUnavailable.

    ``run`` names the process.
    """

    def __init__(self, transactions: Transactions, *, run: str) -> None:
        self._transactions = transactions
        self._run = run
        self._writes: Grouped[Paid, bool] = Grouped(self._insert)
        self._reads: Grouped[Payload, Found] = Grouped(self._read)

    async def record(self, paid: Paid) -> bool:
        """Keep one answer; the first under a call's name stays.

        False when another process decides the request by now, or has decided it: then nothing is kept that nobody would
        ever take away, and nothing more should be paid for it here.
        """
        return await self._writes.put(paid)

    async def recorded(self, payload: Payload) -> Found:
        """What is recorded for one payload, and whether more may be."""
        return await self._reads.put(payload)

    async def _read(self, batch: Sequence[Payload]) -> Sequence[Found]:
        """The claims first: what is ours then has no answer of another process that is not seen after it."""
        found: dict[Payload, dict[str, Answer]] = {payload: {} for payload in batch}
        async with self._transactions.read("reading answers") as connection:
            decided, elsewhere = await self._lost(connection, {payload[:2] for payload in batch})
            for row in await connection.execute(RECORDED, {"payloads": sorted(found)}):
                answer = Answer.model_validate_json(row.answer)
                found[row.tenant, row.request_id, row.payload_hash][row.call] = answer
        return [Found(found[payload], payload[:2] not in decided | elsewhere) for payload in batch]

    async def _insert(self, batch: Sequence[Paid]) -> Sequence[bool]:
        async with self._transactions.begin("recording answers") as connection:
            keys = {(paid.tenant, paid.request_id) for paid in batch}
            decided, elsewhere = await self._lost(connection, keys, lock=True)
            rows = [_row(paid) for paid in batch if (paid.tenant, paid.request_id) not in decided]
            if rows:
                await connection.execute(self._transactions.insert(tables.answers).on_conflict_do_nothing(), rows)
        return [(paid.tenant, paid.request_id) not in decided | elsewhere for paid in batch]

    async def _lost(
        self, connection: AsyncConnection, keys: Collection[Key], *, lock: bool = False
    ) -> tuple[set[Key], set[Key]]:
        """The ids that are decided, and those that another process is deciding or has promised to finish.

        ``lock`` holds their claims against a decision meanwhile.
        """
        rows = (await connection.execute(LOCKED if lock else HOLDERS, {"keys": sorted(keys)})).all()
        decided = {(row.tenant, row.request_id) for row in rows if row.version is not None}
        nobody_else = {None, self._run}
        elsewhere = {(row.tenant, row.request_id) for row in rows if not {row.run, row.finishing} <= nobody_else}
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
    For ``sure_s`` after ``since`` (seconds of ``clock``; default: now) what is known is all there is.
    """

    def __init__(
        self,
        answers: Answers,
        payload: Payload,
        *,
        since: float | None = None,
        sure_s: float = SURE_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._answers = answers
        self._payload = payload
        self._clock = clock
        self._sure_s = sure_s
        self._since = clock() if since is None else since
        self._unsaved: dict[str, Answer] = {}
        self.known: dict[str, Answer] = {}

    def recorded(self, key: str) -> Answer | None:
        return self.known.get(key)

    async def paid(self, key: str, *, deadline: float = 0.0) -> Answer | None:
        """Like `recorded`; a process that was frozen for long enough to lose the request notices it here.

        Nothing is read while the last claim or look is recent. Raises StoreUnavailable at the deadline and Fenced.
        """
        for _ in range(LOOKS):
            if key in self.known or self._clock() - self._since <= self._sure_s:
                break
            await patiently(self.look, "reading answers", until=deadline)
        return self.known.get(key)

    async def look(self) -> None:
        """Adopt what is recorded. Raises StoreUnavailable, and Fenced when another process decides."""
        since = self._clock()
        found = await self._answers.recorded(self._payload)
        if not found.ours:
            raise Fenced("another process has taken the request over")
        self.known = found.answers | self.known
        self._since = since

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
