"""Multi-model consensus and arbitration.

From Python, without Kafka::

    from consensus.settings import load

    async with consensus.resources(load("consensus.yaml")) as resources:
        decision = await consensus.decide(request, resources)
        print(decision.verdict.status)

``decide`` and ``resources`` are imported when they are first used: a process that only reads messages does not pay for
models.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from consensus.app import resources as resources
    from consensus.pipeline import decide as decide

_LAZY = {"decide": "consensus.pipeline", "resources": "consensus.app"}

__all__ = ["decide", "resources"]


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'consensus' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_LAZY[name]), name)
