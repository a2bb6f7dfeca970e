"""What a provider does about one call, before it is put into HTTP."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Outcome:
    """A reply (``status`` 200 with ``text``) or an error (``code``), ``latency_s`` seconds after the call.

    ``hangs`` never answers; ``damaged`` cuts the JSON of the body in half.
    """

    status: int = 200
    text: str = ""
    finish_reason: str = "stop"
    code: str | None = None
    latency_s: float = 0.0
    retry_after_ms: int | None = None
    hangs: bool = False
    damaged: bool = False


NOT_RECORDED = Outcome(status=404, code="not_recorded")
UNKNOWN_MODEL = Outcome(status=404, code="model_not_found")


class Source(Protocol):
    """Where outcomes come from. What a model says depends on the words of the prompt alone."""

    @property
    def models(self) -> tuple[str, ...]:
        """Names that may be asked for."""
        ...

    def outcome(self, model: str, prompt: str) -> Outcome:
        """What ``model``, one of `models`, does about the words of ``prompt``."""
        ...
