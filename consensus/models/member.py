"""A model of the configuration, ready to be asked."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from consensus.models.protocol import Model
from consensus.policy import ModelPolicy


async def _nothing() -> None:
    """There is nothing to close."""


@dataclass(frozen=True)
class Member:
    """A policy and the model that follows it. ``release`` gives back what the model holds open."""

    policy: ModelPolicy
    model: Model
    release: Callable[[], Awaitable[None]] = _nothing


async def close(members: Mapping[str, Member]) -> None:
    """Close the connections of ``members``; calls still running fail with ``connection``."""
    for release in {member.release for member in members.values()}:
        await release()
