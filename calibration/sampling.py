"""Draws that a redelivery repeats: uniform numbers from a hash of the request's id."""

from __future__ import annotations

import hashlib


def uniform(purpose: str, tenant: str, request_id: str) -> float:
    """A number in [0, 1), fixed for a purpose, tenant and id, and independent between purposes."""
    digest = hashlib.sha256(f"{purpose}\x00{tenant}\x00{request_id}".encode()).digest()
    return int.from_bytes(digest[:7], "big") / 2**56


def drawn(purpose: str, tenant: str, request_id: str, rate: float) -> bool:
    """Whether this request belongs to a random share ``rate`` in [0, 1] of all requests."""
    return uniform(purpose, tenant, request_id) < rate
