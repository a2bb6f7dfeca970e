"""Stops asking a provider that is down, so that requests fail at once instead of each at its own time out."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from consensus.errors import ModelError
from consensus.models.protocol import Budget, Model, Prompt
from consensus.types import Answer, Failure

DOWN = frozenset({Failure.UNAVAILABLE, Failure.CONNECTION, Failure.TIMEOUT, Failure.UNAUTHORIZED})
"""Failures that speak about the provider and not about the question."""


@dataclass(frozen=True)
class Tolerance:
    """``run`` failures in a row open the breaker for ``rest_s``, doubling up to ``most_s`` while its probes fail.

    A time out counts only when the call had ``patience_s``: else a caller in a hurry could close a model for everyone.
    """

    run: int = 10
    rest_s: float = 2.0
    most_s: float = 60.0
    patience_s: float = 5.0


TOLERANCE = Tolerance()


class Breaker:
    """Fails with ``unavailable``, without an attempt, while open; then lets one call through as a probe."""

    def __init__(self, inner: Model, tolerance: Tolerance = TOLERANCE) -> None:
        self._inner = inner
        self._tolerance = tolerance
        self._failures = 0
        self._rest_s = tolerance.rest_s
        self._probe_at = float("-inf")
        self._probing = False

    @property
    def open(self) -> bool:
        """Whether calls are refused, but for probes."""
        return self._failures >= self._tolerance.run

    async def ask(self, prompt: Prompt, *, deadline: float, budget: Budget) -> Answer:
        now = asyncio.get_running_loop().time()
        probe = self.open
        if probe and (self._probing or now < self._probe_at):
            raise _refused(self._probe_at - now)
        self._probing = probe
        try:
            answer = await self._inner.ask(prompt, deadline=deadline, budget=budget)
        except ModelError as error:
            if error.failure is not Failure.TIMEOUT or deadline - now >= self._tolerance.patience_s:
                self._note(error, probe)
            raise
        finally:
            if probe:
                self._probing = False
        self._failures, self._rest_s = 0, self._tolerance.rest_s
        return answer

    def _note(self, error: ModelError, probe: bool) -> None:
        if not error.attempts:
            return
        if error.failure not in DOWN:
            self._failures = 0  # it answers: what it said is about the question
            return
        if self.open and not probe:
            return  # a call from before it opened
        self._failures += 1
        if self.open:
            self._rest_s = min(self._rest_s * 2, self._tolerance.most_s) if probe else self._tolerance.rest_s
            self._probe_at = asyncio.get_running_loop().time() + self._rest_s


def _refused(seconds: float) -> ModelError:
    left = f"{max(seconds, 0):.1f} s until the next try"
    error = ModelError(Failure.UNAVAILABLE, f"{Failure.UNAVAILABLE}: not asked, too many failures in a row, {left}")
    error.attempts = 0
    return error
