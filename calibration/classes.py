"""States of a class that stop it from accepting: held by hand, suspended by an alarm, its certificate revoked. Pure.

Each state of a class is one key of the compacted snapshots topic with one writer of its own, so that a hold and a
revocation never overwrite one another.
"""

from __future__ import annotations

from typing import Literal, Self

from pydantic import AwareDatetime, Field

from calibration.frozen import Frozen, parsed

PREFIX = "class/"

REASONS = {"held": "class_held", "suspended": "class_suspended", "revoked": "certificate_revoked"}
"""Reason codes of verdicts, by state, the one that is named first where several hold."""


class ClassInvalid(ValueError):
    """The bytes are no state of a class."""


class ClassState(Frozen):
    """One state of a class: ``active`` or released, with who said so and why.

    ``certificate``: the campaign whose certificate is revoked; a newer certificate is not touched by it.
    """

    class_: str = Field(alias="class", min_length=1)
    state: Literal["held", "suspended", "revoked"]
    active: bool
    reason: str = Field(min_length=1)
    by: str = Field(min_length=1)
    at: AwareDatetime
    certificate: str | None = None

    @property
    def key(self) -> str:
        """Its key on the topic."""
        return f"{PREFIX}{self.class_}:{self.state}"

    def to_json(self) -> bytes:
        """JSON as on the topic."""
        return self.model_dump_json(by_alias=True).encode()

    @classmethod
    def from_json(cls, data: bytes) -> Self:
        """Read `to_json`. Raises ClassInvalid."""
        return parsed(cls, data, ClassInvalid)


def named(key: str) -> tuple[str, str]:
    """Class and state in a key; a key without a known state speaks of all of them (``held``)."""
    cls, _, state = key.removeprefix(PREFIX).rpartition(":")
    return (cls, state) if cls and state in REASONS else (key.removeprefix(PREFIX), "held")
