"""A rollback: an earlier snapshot is published again, with who wanted it and why. Pure.

Each is a record of its own on the compacted snapshots topic, beside the snapshot, so that compaction keeps them all.
"""

from __future__ import annotations

from typing import Self

from pydantic import AwareDatetime, Field

from calibration.frozen import Frozen, parsed

PREFIX = "rollback/"


class RollbackInvalid(ValueError):
    """The bytes are no rollback."""


class Rollback(Frozen):
    """The snapshot ``version`` of ``name`` decides again; ``instead_of`` was in use."""

    name: str
    version: str
    instead_of: str | None
    by: str = Field(min_length=1)
    reason: str = Field(min_length=1)
    at: AwareDatetime

    @property
    def key(self) -> str:
        """Its key on the topic."""
        return f"{PREFIX}{self.name}:{self.at.isoformat()}"

    def to_json(self) -> bytes:
        """JSON as on the topic."""
        return self.model_dump_json().encode()

    @classmethod
    def from_json(cls, data: bytes) -> Self:
        """Read `to_json`. Raises RollbackInvalid."""
        return parsed(cls, data, RollbackInvalid)
