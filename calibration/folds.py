"""Splits by hash of the id: the same question always falls on the same side, whatever the order of the rows."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

from calibration.tally import Ints


def folds(ids: Sequence[str], count: int, salt: str = "fold") -> Ints:
    """Int (n,): fold in [0, count) of each id."""
    return np.array([_digest(salt, name) % count for name in ids], dtype=np.int64)


def order(ids: Sequence[str], salt: str) -> Ints:
    """Row numbers in an order that depends on ids and salt only."""
    return np.array(sorted(range(len(ids)), key=lambda row: (_digest(salt, ids[row]), ids[row])), dtype=np.int64)


def _digest(salt: str, name: str) -> int:
    return int.from_bytes(hashlib.sha256(f"{salt}\x00{name}".encode()).digest()[:7], "big")
