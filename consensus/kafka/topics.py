"""Names of the topics."""

from __future__ import annotations

from dataclasses import dataclass

PARALLEL = ("requests", "verdicts", "reviews", "rulings", "signals")
"""Topics with equal partition counts: outputs go to the partition number of the input."""


@dataclass(frozen=True)
class Topics:
    """Topic names under one prefix."""

    prefix: str = "consensus"

    def __getattr__(self, noun: str) -> str:
        if noun in {*PARALLEL, "outcomes", "votes", "snapshots"}:
            return f"{self.prefix}.{noun}"
        if noun == "dead_letters":
            return f"{self.prefix}.dead-letters"
        raise AttributeError(noun)
