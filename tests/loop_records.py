"""Short ways to write what flows into the calibrator: signals, verdicts, outcomes, and the records that carry them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from consensus import wire
from consensus.kafka.intake import Record
from consensus.kafka.topics import Topics
from consensus.types import Outcome, Signal, Verdict

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
OPTIONS = ("A", "B", "C")
TOPICS = Topics()


def entry(model: str, answer: str | None, **changes: Any) -> dict[str, Any]:
    """A member of its own family that chose an option, or abstained."""
    return {
        "model": model,
        "model_version": f"{model}-v1",
        "family": f"family-{model}",
        "label_kind": "abstained" if answer is None else "answer",
        "label": answer,
        "cluster": None if answer is None else OPTIONS.index(answer),
        **changes,
    }


def ballot(*answers: str | None) -> list[dict[str, Any]]:
    """Members a, b, c … with one answer each."""
    return [entry(chr(97 + i), answer) for i, answer in enumerate(answers)]


def signal(request_id: str = "r-1", answers: tuple[str | None, ...] = ("A", "A", "B"), **changes: Any) -> Signal:
    """A decision on a choice between A, B and C in law, accepted as A."""
    return Signal.model_validate(
        {
            "event_id": f"e-{changes.get('tenant', 'default')}-{request_id}",
            "request_id": request_id,
            "tenant": "default",
            "version": 1,
            "domain": "law",
            "stakes": "standard",
            "policy": "default",
            "class": "default",
            "answer": {"type": "choice", "options": list(OPTIONS)},
            "candidates": list(OPTIONS),
            "ballot": ballot(*answers),
            "kind": "reasoning",
            "route": "accept",
            "status": "accepted",
            "top": "A",
            "full_panel": True,
            "policy_version": "default@1",
            "decided_at": NOON,
            **changes,
        }
    )


def verdict(request_id: str = "r-1", answers: tuple[str | None, ...] = ("A", "A", "B"), **changes: Any) -> Verdict:
    """The verdict that belongs to `signal`."""
    return Verdict.model_validate(
        {
            "request_id": request_id,
            "tenant": "default",
            "version": 1,
            "status": "accepted",
            "answer": "A",
            "uncertified": True,
            "route": "accept",
            "reasons": ["unanimous_uncertified"],
            "disagreement": {
                "kind": "reasoning",
                "effective_votes": 1.6,
                "effective_votes_source": "assumed",
                "entropy": 0.64,
                "margin": 0.33,
                "agreement": None,
            },
            "ballot": ballot(*answers),
            "dissent": ["c"],
            "degraded": False,
            "policy_version": "default@1",
            "cost": 0.01,
            "latency_ms": 1200,
            "decided_at": NOON,
            **changes,
        }
    )


def outcome(request_id: str = "r-1", label: Any = "A", *, hours: float = 1, **changes: Any) -> Outcome:
    """A blind review's finding, ``hours`` after the decision."""
    return Outcome.model_validate(
        {
            "outcome_id": f"o-{request_id}-{hours}-{label}",
            "request_id": request_id,
            "label": label,
            "source": "blind_review",
            "observed_at": NOON + timedelta(hours=hours),
            **changes,
        }
    )


class Log:
    """Numbers records as the partitions of a broker would: one log per topic and partition."""

    def __init__(self) -> None:
        self._next: dict[tuple[str, int], int] = {}

    def record(self, message: Signal | Verdict | Outcome | bytes | None, partition: int = 0, topic: str = "") -> Record:
        """The message as the next record of its topic."""
        topic = topic or _topic(message)
        offset = self._next.get((topic, partition), 0)
        self._next[topic, partition] = offset + 1
        value = message if isinstance(message, bytes) or message is None else wire.write(message)
        return Record(topic, partition, offset, b"k", value, 1_772_366_400_000)

    def records(self, *messages: Signal | Verdict | Outcome) -> list[Record]:
        """The messages in order, all on partition 0."""
        return [self.record(message) for message in messages]


def _topic(message: object) -> str:
    names = {Signal: TOPICS.signals, Verdict: TOPICS.verdicts, Outcome: TOPICS.outcomes}
    return names[type(message)]  # type: ignore[index]  # only these are passed without a topic


def labelled_messages(n: int, *, seed: int = 1) -> list[Signal | Outcome]:
    """``n`` decisions of three members that are right .85, .75 and .6 of the time, each with a blind review."""
    rng = np.random.default_rng(seed)
    messages: list[Signal | Outcome] = []
    for i in range(n):
        truth = int(rng.integers(3))
        wrong = [OPTIONS[(truth + int(rng.integers(1, 3))) % 3] for _ in range(3)]
        skills = (0.85, 0.75, 0.6)
        chosen = tuple(OPTIONS[truth] if rng.random() < skill else wrong[j] for j, skill in enumerate(skills))
        domain = ("law", "health")[i % 2]
        messages.append(signal(f"r-{i}", chosen, domain=domain))
        messages.append(outcome(f"r-{i}", OPTIONS[truth], hours=1 + i))
    return messages
