"""Which offsets of one input partition are in work and which are done. Pure: no Kafka, no clock.

Records arrive in the order of their offsets, with holes (transaction markers, compaction), and finish in any order.
What is committed is the lowest incomplete offset, and in its metadata those above it that are incomplete too;
everything else below the end is done.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from consensus.kafka.offset_map import MOST_INCOMPLETE, SPAN_LIMIT, decode, encode


@dataclass(frozen=True)
class Position:
    """What is committed for a partition: the lowest incomplete offset and the map of those above it."""

    offset: int
    metadata: str = ""


class Tracker:
    """Starts from a committed position; the offsets that it calls incomplete are expected to be delivered again."""

    def __init__(self, committed: Position, *, most: int = MOST_INCOMPLETE) -> None:
        """``most`` bounds the incomplete offsets (≤ 512). Raises MapDamaged."""
        incomplete, self._end = decode(committed.offset, committed.metadata)
        self._expected = deque(incomplete)
        self._incomplete = dict.fromkeys(incomplete)  # ascending: offsets arrive in order; a dict deletes in one step
        self._most = min(most, MOST_INCOMPLETE)

    @property
    def in_work(self) -> int:
        """Offsets that were taken and are not done."""
        return len(self._incomplete) - len(self._expected)

    @property
    def lowest(self) -> int:
        """The lowest offset that is not done."""
        return next(iter(self._incomplete), self._end)

    def fitting(self, offsets: Iterable[int]) -> int:
        """How many of the next offsets may be delivered: beyond them, something lower has to be done first."""
        room = self._most - len(self._incomplete)
        count = 0
        for offset in offsets:
            if offset >= self._end:
                if room == 0 or offset - self.lowest >= SPAN_LIMIT - 1:
                    break
                room -= 1
            count += 1
        return count

    def take(self, offset: int) -> bool:
        """A record was delivered. True: work on it. False: it is done, or in work already.

        Raises ValueError when it does not fit.
        """
        self._drop_vanished(offset)
        if self._expected and self._expected[0] == offset:
            self._expected.popleft()
            return True
        if offset < self._end:
            return False
        if not self.fitting([offset]):
            raise ValueError(
                f"offset {offset} does not fit: {len(self._incomplete)} are incomplete from {self.lowest} on"
            )
        self._incomplete[offset] = None
        self._end = offset + 1
        return True

    def complete(self, offset: int) -> None:
        """The record at ``offset`` is done. Raises ValueError unless it is in work."""
        if offset not in self._incomplete or (self._expected and offset >= self._expected[0]):
            raise ValueError(f"offset {offset} is not in work")
        del self._incomplete[offset]

    def position(self) -> Position:
        """What to commit now; its metadata never exceeds 4,096 characters."""
        return Position(self.lowest, encode(tuple(self._incomplete), self._end))

    def _drop_vanished(self, offset: int) -> None:
        """Offsets expected again that delivery has passed over do not exist any more (retention): they are done."""
        while self._expected and self._expected[0] < offset:
            del self._incomplete[self._expected.popleft()]
