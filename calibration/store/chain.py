"""The audit chain: each verdict record carries the hash of the one before it in its partition.

``chain[i] = SHA-256(chain[i-1] ‖ offset ‖ digest[i])`` with the offset as 8 bytes big-endian and ``digest`` the SHA-256
of the record's value; before the first record stands `genesis(partition)`. Whoever holds the topic can recompute it.
It rests on digests, so erasing a value leaves it verifiable.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import NamedTuple

ALTERED = "has other contents than were chained"
MOVED = "is chained as something else, or after something else"
NOT_CHAINED = "is not chained"
NOT_THERE = "is chained, but not on the topic"
CUT_OFF = "was chained, and is gone from the end of the chain"
MISNAMED = "is stored under another request or version than it is about"


class Link(NamedTuple):
    """One record of the chain. ``raw`` is ``None`` after an erasure."""

    offset: int
    digest: bytes
    chain: bytes
    raw: bytes | None


class Fault(NamedTuple):
    """The first record of a partition that does not verify, and why."""

    offset: int
    what: str


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
    """Verifies the stored records of one partition in ascending offset order. ``fault``: the first that failed."""

    def __init__(self, partition: int) -> None:
        self.fault: Fault | None = None
        self.head = genesis(partition)

    def verifies(self, link: Link) -> bool:
        """Whether this record is what was chained, at the place where it was chained."""
        if self.fault is None and link.raw is not None and digest(link.raw) != link.digest:
            self.fault = Fault(link.offset, ALTERED)
        if self.fault is None and step(self.head, link.offset, link.digest) != link.chain:
            self.fault = Fault(link.offset, MOVED)
        self.head = link.chain
        return self.fault is None


class Comparison:
    """Holds the records of one partition of the topic against its stored chain, portion by portion.

    ``head``: the chain's hash before the first record, `genesis` or, where the topic no longer begins at its beginning,
    that of the stored record before.
    """

    def __init__(self, head: bytes) -> None:
        self.fault: Fault | None = None
        self.head = head

    def take(self, values: Mapping[int, bytes | None], links: Mapping[int, Link]) -> bool:
        """Take all values and all links of one range of offsets, by offset; whether they agree so far."""
        for offset in sorted(values.keys() | links.keys()):
            if self.fault is None:
                self.fault = self._fault(offset, values, links)
        return self.fault is None

    def _fault(self, offset: int, values: Mapping[int, bytes | None], links: Mapping[int, Link]) -> Fault | None:
        if offset not in links:
            return Fault(offset, NOT_CHAINED)
        if offset not in values:
            return Fault(offset, NOT_THERE)
        self.head = step(self.head, offset, digest(values[offset]))
        return Fault(offset, MOVED) if links[offset].chain != self.head else None
