"""Records that can never be processed: how they are published, and when there are too many of them.

The gate stops the worker when a long run or a large share of the records of a partition become dead letters: that is
rather a bad deploy than bad input. Its state is kept in the ledger, so that restarts do not swallow a topic in bites.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from consensus.errors import DeadLetter, DeadLetterLimit
from consensus.kafka.messages import Incoming, Outgoing
from consensus.kafka.topics import Topics
from consensus.ledger.gates import GateState
from consensus.settings import KafkaSettings

MAX_REASON = 500
"""Characters of the reason that a header carries."""

ADDED = ("error-code", "error-reason", "source-topic", "source-partition", "source-offset")


def dead_letter(topics: Topics, record: Incoming, error: DeadLetter) -> Outgoing:
    """The record as it came, with what was wrong and where it stood.

    A record without key and value gets an empty value: the client library refuses to produce nothing at all.
    """
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


@dataclass(frozen=True)
class GatePolicy:
    """``ratio`` of the last ``window`` records, and ``run`` in a row, beyond which consumption stops."""

    ratio: float
    window: int
    run: int

    @classmethod
    def of(cls, settings: KafkaSettings) -> GatePolicy:
        return cls(settings.dead_letter_ratio, settings.dead_letter_window, settings.dead_letter_run)


def passed(policy: GatePolicy, state: GateState, dead: bool) -> GateState:
    """The state after one more record."""
    recent = (*state.recent, dead)[-policy.window :]
    return replace(state, recent=recent, run=state.run + 1 if dead else 0)


def check(policy: GatePolicy, state: GateState, name: str) -> None:
    """Raises DeadLetterLimit when the gate ``name`` is to be closed: a person looks, repairs and resets it."""
    share = sum(state.recent) / len(state.recent) if len(state.recent) == policy.window else 0.0
    if state.run >= policy.run:
        trouble = f"the last {state.run} records"
    elif share > policy.ratio:
        trouble = f"{share:.0%} of the last {policy.window} records"
    else:
        return
    raise DeadLetterLimit(
        f"{trouble} of {name} became dead letters: consumption stops; look at them with `consensus dead-letters list`, "
        "repair the cause, then `consensus dead-letters resume`"
    )
