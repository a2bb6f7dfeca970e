"""Every policy that ever decided, by its content hash: a verdict names it, and a recomputation needs it years later."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from sqlalchemy import select

from consensus.ledger import tables
from consensus.ledger.transactions import Transactions, to_the_end
from consensus.policy import Policy

T = tables.policies.c


class Policies:
    """Stored policies. Every method raises StoreUnavailable."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    @to_the_end
    async def keep(self, policies: Iterable[Policy]) -> None:
        """Store the versions that are new."""
        now = datetime.now(UTC)
        rows = [{"version": p.version, "policy": p.model_dump_json().encode(), "stored_at": now} for p in policies]
        if rows:
            statement = self._transactions.insert(tables.policies).values(rows).on_conflict_do_nothing()
            async with self._transactions.begin("storing policies") as connection:
                await connection.execute(statement)

    @to_the_end
    async def find(self, version: str) -> Policy | None:
        """The policy of this version, ``None`` where no process with this store ever decided with it."""
        async with self._transactions.read("reading a policy") as connection:
            raw = await connection.scalar(select(T.policy).where(T.version == version))
        return None if raw is None else Policy.model_validate_json(raw)
