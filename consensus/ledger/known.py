"""What a caller may know of an id: the newest committed verdict, and the payload that holds the id."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import and_, bindparam, select, tuple_

from consensus.ledger import tables
from consensus.ledger.claims import Key
from consensus.ledger.grouped import Grouped
from consensus.ledger.transactions import Transactions

C = tables.claims.c
D = tables.decisions.c

Finding = tuple[bytes | None, str | None]
"""Verdict and payload hash; None where there is none."""

NOTHING: Finding = (None, None)

_committed = and_(D.tenant == C.tenant, D.request_id == C.request_id, D.committed_at.is_not(None))
KNOWN = (
    select(C.tenant, C.request_id, C.payload_hash, D.verdict)
    .outerjoin_from(tables.claims, tables.decisions, _committed)
    .where(tuple_(C.tenant, C.request_id).in_(bindparam("keys", expanding=True)), C.closed.is_(False))
    .order_by(D.version)  # the newest version of an id comes last and stays
)


class Known:
    """Every call of a gateway begins here: those that come together share one statement."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions
        self._reads: Grouped[Key, Finding] = Grouped(self._read)

    async def verdict(self, key: Key) -> Finding:
        """What is known of one id. Raises StoreUnavailable."""
        return await self._reads.put(key)

    async def _read(self, keys: Sequence[Key]) -> Sequence[Finding]:
        async with self._transactions.read("reading what is known") as connection:
            rows = await connection.execute(KNOWN, {"keys": sorted(set(keys))})
        known = {(row.tenant, row.request_id): (row.verdict, row.payload_hash) for row in rows}
        return [known.get(key, NOTHING) for key in keys]
