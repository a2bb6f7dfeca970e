"""How many of the latest records became dead letters, kept so that a restart does not forget it."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import delete, select

from consensus.ledger import tables
from consensus.ledger.transactions import Transactions, to_the_end

T = tables.gates.c


@dataclass(frozen=True)
class GateState:
    """``recent``: one flag per record, newest last, true for a dead letter; ``run``: dead letters in a row."""

    recent: tuple[bool, ...] = ()
    run: int = 0


class Gates:
    """Stored states by name (group and partition). Every method raises StoreUnavailable."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    @to_the_end
    async def load(self, name: str) -> GateState:
        """The stored state, or an empty one."""
        async with self._transactions.read("reading a gate") as connection:
            row = (await connection.execute(select(tables.gates).where(T.name == name))).first()
        return GateState() if row is None else GateState(tuple(mark == "x" for mark in row.recent), row.run)

    @to_the_end
    async def save(self, name: str, state: GateState) -> None:
        """Replace the stored state."""
        values = {"recent": "".join(".x"[flag] for flag in state.recent), "run": state.run}
        statement = self._transactions.insert(tables.gates).values({"name": name} | values)
        async with self._transactions.begin("saving a gate") as connection:
            await connection.execute(statement.on_conflict_do_update(index_elements=[T.name], set_=values))

    @to_the_end
    async def reset(self, prefix: str) -> int:
        """Forget the states whose name begins with ``prefix``: a person has looked. Returns how many there were."""
        async with self._transactions.begin("resetting gates") as connection:
            done = await connection.execute(delete(tables.gates).where(T.name.startswith(prefix, autoescape=True)))
        return done.rowcount
