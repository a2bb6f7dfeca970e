"""Records that can never be processed: how they are published, and when there are too many of them.

The gate stops the worker when a long run or a large share of the records of a partition become dead letters: that is
rather a bad deploy than bad input. Its state is kept in the ledger, so that restarts do not swallow a topic in bites.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import structlog

from consensus import logs
from consensus.errors import DeadLetter, DeadLetterLimit
from consensus.kafka.messages import Incoming, Outgoing
from consensus.kafka.topics import Topics
from consensus.ledger.gates import Gates, GateState
from consensus.patience import patiently
from consensus.settings import KafkaSettings

log = structlog.get_logger()

MAX_REASON = 500
"""Characters of the reason that a header carries."""

ADDED = ("error-code", "error-reason", "source-topic", "source-partition", "source-offset")


def dead_letter(topics: Topics, record: Incoming, error: DeadLetter) -> Outgoing:
    """The record as it came, with what was wrong and where it stood.

    A record without key and value gets an empty value: the client library refuses to produce nothing at all.
    """
    where = {"topic": record.topic, "partition": record.partition, "offset": record.offset}
    log.warning("dead letter", code=error.code, trace_id=logs.trace_id(record.headers), **where)
    added = (
        ("error-code", error.code.encode()),
        ("error-reason", str(error)[:MAX_REASON].encode("utf-8", "replace")),
        ("source-topic", record.topic.encode()),
        ("source-partition", str(record.partition).encode()),
        ("source-offset", str(record.offset).encode()),
    )
    kept = tuple((name, value) for name, value in record.headers if name not in ADDED)
    value = b"" if record.key is None and record.value is None else record.value
    return Outgoing(topics.dead_letters, None, record.key, value, kept + added)


class Gate:
    """Counts the dead letters of one input partition."""

    def __init__(self, gates: Gates, settings: KafkaSettings, topic: str, partition: int) -> None:
        self._gates = gates
        self._settings = settings
        self._name = f"{settings.group}:{topic}:{partition}"
        self._state = GateState()

    async def load(self) -> None:
        """Go on where the last owner stood. Raises DeadLetterLimit while nobody has resumed, and StoreUnavailable."""
        self._state = await self._gates.load(self._name)
        self._check()

    def passable(self, dead: Sequence[bool]) -> int:
        """How many of the next records may pass before the gate closes behind the last of them."""
        state = self._state
        for count, one in enumerate(dead, start=1):
            state = following(state, one, window=self._settings.dead_letter_window)
            if excess(state, self._settings) is not None:
                return count
        return len(dead)

    async def passed(self, dead: Sequence[bool]) -> None:
        """Note the next records, each with whether it became a dead letter. Raises DeadLetterLimit."""
        unbroken = self._state.run > 0
        for one in dead:
            self._state = following(self._state, one, window=self._settings.dead_letter_window)
        if unbroken or any(dead):
            await patiently(lambda: self._gates.save(self._name, self._state), "saving the count of dead letters")
            self._check()

    def _check(self) -> None:
        trouble = excess(self._state, self._settings)
        if trouble is not None:
            raise DeadLetterLimit(
                f"{trouble} of {self._name} became dead letters: consumption stops; look at them with `consensus "
                "dead-letters list`, repair the cause, then `consensus dead-letters resume`"
            )


def following(state: GateState, dead: bool, *, window: int) -> GateState:
    """The state after one more record."""
    recent = (*state.recent, dead)[-window:]
    return replace(state, recent=recent, run=state.run + 1 if dead else 0)


def excess(state: GateState, settings: KafkaSettings) -> str | None:
    """What is too much, in words, or None. A share is judged over a full window only."""
    if state.run >= settings.dead_letter_run:
        return f"the last {state.run} records"
    share = sum(state.recent) / settings.dead_letter_window
    if len(state.recent) == settings.dead_letter_window and share > settings.dead_letter_ratio:
        return f"{share:.0%} of the last {settings.dead_letter_window} records"
    return None
