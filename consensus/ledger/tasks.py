"""Review tasks that are asked for after the decision: kept with it, so that a ruling finds them like any other."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from sqlalchemy import bindparam, select, tuple_, update

from consensus.ledger import tables
from consensus.ledger.claims import Key
from consensus.ledger.decisions import Version, read_versions
from consensus.ledger.transactions import Transactions, to_the_end

T = tables.decisions.c

KEYS_PER_QUERY = 500


class Tasks:
    """Tasks of stored decisions. Every method raises StoreUnavailable."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    async def askable(self, keys: Collection[Key]) -> set[Key]:
        """Those of the requests whose text is still kept: the others can be shown to nobody."""
        found: set[Key] = set()
        for some in _portions(sorted(keys)):
            which = (tuple_(T.tenant, T.request_id).in_(some), T.version == 1, T.request.is_not(None))
            async with self._transactions.read("looking for requests") as connection:
                rows = await connection.execute(select(T.tenant, T.request_id).where(*which))
                found |= {(row.tenant, row.request_id) for row in rows}
        return found

    async def firsts(self, keys: Collection[Key]) -> dict[Key, Version]:
        """The first versions of these requests, as far as they are kept."""
        if not keys:
            return {}
        async with self._transactions.read("reading decisions") as connection:
            return {version.key: version for version in await read_versions(connection, keys, most=1)}

    @to_the_end
    async def place(self, tasks: Mapping[Key, bytes]) -> dict[Key, bytes]:
        """Keep a task with each decision that has none; returns the tasks that are kept, whoever placed them."""
        if not tasks:
            return {}
        which = (T.tenant == bindparam("of"), T.request_id == bindparam("id"), T.version == 1, T.review.is_(None))
        statement = update(tables.decisions).where(*which).values(review=bindparam("task"))
        rows = [{"of": tenant, "id": request, "task": task} for (tenant, request), task in sorted(tasks.items())]
        async with self._transactions.begin("placing review tasks") as connection:
            await connection.execute(statement, rows)
            kept = await read_versions(connection, list(tasks), most=1)
        return {version.key: version.review for version in kept if version.review is not None}


def _portions(keys: list[Key]) -> Iterable[list[Key]]:
    return (keys[start : start + KEYS_PER_QUERY] for start in range(0, len(keys), KEYS_PER_QUERY))
