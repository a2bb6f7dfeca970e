"""Signs of life of processes that finish the calls of partitions they have given up."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime

from sqlalchemy import select

from consensus.ledger import tables
from consensus.ledger.transactions import Transactions, to_the_end

T = tables.runs.c


class Runs:
    """Beats by process. Clocks are never compared: who waits watches whether a beat still grows."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    @to_the_end
    async def beat(self, run: str) -> None:
        """Show that this process is alive. Raises StoreUnavailable."""
        row = {"run": run, "beat": 1, "seen_at": datetime.now(UTC)}
        statement = self._transactions.insert(tables.runs).values(row)
        grown = {"beat": T.beat + 1, "seen_at": row["seen_at"]}
        async with self._transactions.begin("beating") as connection:
            await connection.execute(statement.on_conflict_do_update(index_elements=[T.run], set_=grown))

    @to_the_end
    async def beats(self, runs: Collection[str]) -> dict[str, int]:
        """The latest beat of each process, 0 for one that never gave any. Raises StoreUnavailable."""
        if not runs:
            return {}
        async with self._transactions.read("reading beats") as connection:
            rows = await connection.execute(select(T.run, T.beat).where(T.run.in_(sorted(runs))))
            known = {row.run: row.beat for row in rows}
        return {run: known.get(run, 0) for run in runs}
