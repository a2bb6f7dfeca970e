"""Read an arbiter's reply: one decision out of the allowed ones, checked by code, or nothing."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from arbiters.sanitise import characters
from consensus.answers.structured import objects

REASONING_CHARS = 2_000


@dataclass(frozen=True)
class Reply:
    """A readable reply. ``reasoning`` is model text: bounded, without invisible characters, and never a reason."""

    decision: str
    reasoning: str


def read(text: str, allowed: Collection[str]) -> Reply | None:
    """The decision of a reply; ``None`` when it has none, several different ones, or one that was not offered."""
    found = [item.value for item in objects(text) if "decision" in item.value]
    decisions = [item["decision"] for item in found]
    if not found or any(decision != decisions[0] for decision in decisions):
        return None
    if not isinstance(decisions[0], str) or decisions[0] not in allowed:
        return None
    reasoning = found[0].get("reasoning")
    return Reply(decisions[0], characters(reasoning, REASONING_CHARS) if isinstance(reasoning, str) else "")
