"""The provider's call log: what was asked of whom, counted on the other side of the wire."""

from __future__ import annotations

import hashlib
from collections import Counter, deque
from collections.abc import Mapping
from typing import Any

KEPT = 200_000
"""Entries of the log; older ones are dropped, but stay counted."""


class Calls:
    """Counts per model and a bounded log. An entry names a call by its words and its headers, never by content."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._log: deque[dict[str, Any]] = deque(maxlen=KEPT)
        self._number = 0

    def note(self, model: str, prompt: str, headers: Mapping[str, str]) -> dict[str, Any]:
        """Log a call as it arrives; its ``status`` is ``None`` until the caller of this method sets it."""
        self._counts[model] += 1
        entry: dict[str, Any] = {
            "number": self._number,
            "model": model,
            "prompt": hashlib.sha256(prompt.encode("utf-8", "replace")).hexdigest(),
            "request_id": headers.get("x-request-id"),
            "traceparent": headers.get("traceparent"),
            "status": None,
        }
        self._number += 1
        self._log.append(entry)
        return entry

    def report(self, since: int = 0) -> dict[str, Any]:
        """``{"total", "by_model", "dropped", "log"}``; the log from call number ``since`` on."""
        return {
            "total": self._number,
            "by_model": dict(sorted(self._counts.items())),
            "dropped": self._number - len(self._log),
            "log": [entry for entry in self._log if entry["number"] >= since],
        }
