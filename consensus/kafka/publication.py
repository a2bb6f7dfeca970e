"""What one input record leads to, and the seam between a partition's lane and what is done with its records."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from consensus.kafka.messages import Incoming, Outgoing
from consensus.ledger.decisions import VersionKey


class Outcome(StrEnum):
    """How a record ended."""

    DECIDED = "decided"
    REPEATED = "repeated"
    DEAD = "dead"
    RULED = "ruled"
    MOVED = "moved"  # a ruling that belongs to another partition
    NOTED = "noted"  # nothing is published for it


@dataclass(frozen=True)
class Publication:
    """What is committed for one record: the records to produce, in one transaction with its offset.

    ``version`` is what becomes known as committed afterwards, ``code`` why the record is dead.
    """

    outcome: Outcome
    records: tuple[Outgoing, ...] = ()
    version: VersionKey | None = None
    code: str | None = None


class Steps(Protocol):
    """What is done with the records of one input topic. Every method may raise StoreUnavailable."""

    async def admit(self, wanted: int) -> int:
        """Wait until records may be taken; returns how many of ``wanted``, at least one."""
        ...

    async def take(self, records: Sequence[Incoming], admitted: int) -> list[asyncio.Task[Publication]]:
        """Begin the work on at most as many records as were admitted; one task for each, which the lane may cancel.

        When it raises, nothing was begun and the lane may try again, or must `leave`.
        """
        ...

    def leave(self, admitted: int) -> None:
        """Records that were admitted are not taken after all."""
        ...

    async def freshen(self, publications: Sequence[Publication]) -> list[Publication]:
        """The publications as they must be right before their transaction."""
        ...

    async def refuse(self, record: Incoming) -> Publication:
        """What to publish instead, when what the record leads to is larger than the broker takes."""
        ...
