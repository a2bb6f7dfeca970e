"""The ledger: claims on ids, paid answers, stored decisions and rulings. What exactly-once rests on beside Kafka."""

from __future__ import annotations

import uuid

from sqlalchemy.ext.asyncio import AsyncEngine

from consensus.ledger.answers import SURE_S, Answers, StoredLog
from consensus.ledger.claims import Asked, Claim, Claims, Standing
from consensus.ledger.decisions import Decisions, Version
from consensus.ledger.gates import Gates
from consensus.ledger.known import Known
from consensus.ledger.policies import Policies
from consensus.ledger.retention import Retention
from consensus.ledger.rulings import Rulings
from consensus.ledger.runs import Runs
from consensus.ledger.transactions import Transactions

__all__ = ["Asked", "Claim", "Ledger", "Standing", "StoredLog", "Version"]


class Ledger:
    """The ledger as one process sees it; ``run`` names the process and is new for each.

    ``timeout_s`` bounds every transaction, ``poison`` is the number of crashes that make a record a dead letter.
    ``sure_s``: for how long after a claim, or a look at it, no other process can have taken it over.
    """

    def __init__(
        self,
        engine: AsyncEngine,
        *,
        timeout_s: float = 10.0,
        poison: int = 3,
        run: str | None = None,
        sure_s: float = SURE_S,
    ) -> None:
        transactions = Transactions(engine, timeout_s)
        self.run = run or uuid.uuid4().hex
        self.sure_s = sure_s
        self.claims = Claims(transactions, run=self.run, poison=poison)
        self.answers = Answers(transactions, run=self.run)
        self.decisions = Decisions(transactions)
        self.rulings = Rulings(transactions, self.decisions)
        self._known = Known(transactions)
        self.runs = Runs(transactions)
        self.gates = Gates(transactions)
        self.policies = Policies(transactions)
        self.retention = Retention(transactions)

    async def claim_of(self, tenant: str, request_id: str) -> Claim | None:
        """The claim on an id, also before its decision is committed. Raises StoreUnavailable."""
        return await self.claims.find(tenant, request_id)

    async def verdict(self, tenant: str, request_id: str) -> tuple[bytes | None, str | None]:
        """The newest committed verdict of an id and the payload hash that holds it; None where there is none.

        Raises StoreUnavailable.
        """
        return await self._known.verdict((tenant, request_id))
