"""The audit chain: each verdict record carries the hash of the one before it in its partition.

``chain[i] = SHA-256(chain[i-1] ‖ offset ‖ digest[i])`` with the offset as 8 bytes big-endian and ``digest`` the SHA-256
of the record's value; before the first record stands `genesis(partition)`. Whoever holds the topic can recompute it.
It rests on digests, so erasing a value leaves it verifiable.
"""

from __future__ import annotations

import hashlib
from typing import NamedTuple


class Link(NamedTuple):
    """One record of the chain. ``raw`` is ``None`` after an erasure."""

    offset: int
    digest: bytes
    chain: bytes
    raw: bytes | None


def genesis(partition: int) -> bytes:
    """What stands before the first record of a partition."""
    return hashlib.sha256(f"consensus verdicts {partition}".encode()).digest()


def digest(value: bytes | None) -> bytes:
    """SHA-256 of a record's value; a record without a value counts as empty."""
    return hashlib.sha256(value or b"").digest()


def step(previous: bytes, offset: int, digest: bytes) -> bytes:
    """The next hash of the chain."""
    return hashlib.sha256(previous + offset.to_bytes(8, "big") + digest).digest()


class Walk:
    """Verifies the records of one partition in ascending offset order; ``broken`` is the first offset that failed."""

    def __init__(self, partition: int) -> None:
        self.broken: int | None = None
        self._previous = genesis(partition)

    def verifies(self, link: Link) -> bool:
        """Whether this record is what was chained, at the place where it was chained."""
        altered = link.raw is not None and digest(link.raw) != link.digest
        moved = step(self._previous, link.offset, link.digest) != link.chain
        self._previous = link.chain
        if (altered or moved) and self.broken is None:
            self.broken = link.offset
        return self.broken is None
