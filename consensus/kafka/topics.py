"""Names of the topics."""

from __future__ import annotations

from dataclasses import dataclass

PARALLEL = ("requests", "verdicts", "reviews", "rulings", "signals")
"""Topics with equal partition counts: outputs go to the partition number of the input."""

NOUNS = (*PARALLEL, "outcomes", "votes", "snapshots", "dead_letters")


@dataclass(frozen=True)
class Topics:
    """Topic names under one prefix."""

    prefix: str = "consensus"

    def named(self, noun: str) -> str:
        """The topic of a noun of `NOUNS`; AttributeError for any other."""
        if noun not in NOUNS:
            raise AttributeError(noun)
        return f"{self.prefix}.{noun.replace('_', '-')}"

    def names(self) -> tuple[str, ...]:
        """All topics."""
        return tuple(self.named(noun) for noun in NOUNS)

    def __getattr__(self, noun: str) -> str:
        return self.named(noun)
