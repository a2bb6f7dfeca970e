"""Forgetting: claims and what belongs to them live for a horizon, then go in small bites."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import and_, delete, select, tuple_

from consensus.ledger import tables
from consensus.ledger.transactions import Transactions, to_the_end

BITE = 500
"""Ids forgotten in one transaction, so that nobody waits long behind it."""


class Retention:
    """Deletes what is older than the horizon."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    @to_the_end
    async def forget(self, before: datetime) -> int:
        """Delete up to `BITE` ids claimed before ``before`` that nobody is deciding, with all that hangs on them.

        Returns how many; call again until it is 0. Raises StoreUnavailable.
        """
        claims = tables.claims.c
        idle = and_(claims.claimed_at < before, claims.run.is_(None))
        old = select(claims.tenant, claims.request_id).where(idle).limit(BITE)
        async with self._transactions.begin("forgetting") as connection:
            keys = [(row.tenant, row.request_id) for row in await connection.execute(old)]
            if keys:
                for table in (tables.answers, tables.decisions, tables.rulings, tables.claims):
                    await connection.execute(delete(table).where(tuple_(table.c.tenant, table.c.request_id).in_(keys)))
        return len(keys)
