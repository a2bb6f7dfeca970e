"""What arbiters are asked, and the seam through which the pipeline asks them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from consensus.models.protocol import Budget, CallLog
from consensus.policy import Policy
from consensus.types import Arbitration, LabelValue, Request


@dataclass(frozen=True)
class Candidate:
    """One side of a dispute: the representative label of one answer cluster.

    ``id`` is opaque and random per dispute (derived from its nonce); ``families`` are those that voted for the label.
    They decide who may arbitrate and are never shown to an arbiter.
    """

    id: str
    label: LabelValue
    families: frozenset[str]


@dataclass(frozen=True)
class Dispute:
    """A request whose panel disagrees. ``nonce`` is derived from the request, so a redelivery asks the same words."""

    request: Request
    candidates: tuple[Candidate, ...]
    policy: Policy
    nonce: str


class Arbiters(Protocol):
    """The arbiters of the configuration, behind one method."""

    async def arbitrate(self, dispute: Dispute, *, log: CallLog, deadline: float, budget: Budget) -> Arbitration | None:
        """Rule on ``dispute`` by ``deadline`` (seconds of the running loop's clock).

        ``None``: no arbiter is eligible or affordable. A flip, a tie, doubt or a failed arbiter is an Arbitration whose
        ``decision`` says so and whose ``label`` is ``None``. Never raises ModelError.
        """
        ...
