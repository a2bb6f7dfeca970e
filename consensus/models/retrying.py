"""The one owner of retries: bounded attempts with full jitter, inside the deadline, each within the budget."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass

from consensus.errors import BudgetSpent, ModelError
from consensus.models.protocol import Budget, Model, Prompt
from consensus.types import Answer


@dataclass(frozen=True)
class Retries:
    """``attempts`` counts the first call too; retry k waits for a time uniform in [0, min(most_s, base_s·2^(k-1))]."""

    attempts: int = 3
    base_s: float = 0.5
    most_s: float = 8.0

    def wait_s(self, failed: int, asked_s: float | None, uniform: Callable[[], float]) -> float:
        """Seconds to wait after ``failed`` failures; never less than the ``asked_s`` that the provider asked for."""
        jitter = min(self.most_s, self.base_s * 2.0 ** (failed - 1)) * uniform()
        # Everyone was told the same time to come back: the jitter goes on top, or all of us come back at once.
        return jitter if asked_s is None else asked_s + min(jitter, 1.0)


RETRIES = Retries()


class Retrying:
    """Asks ``inner`` again after failures that may pass. Attempts, tokens and cost of the result count all calls."""

    def __init__(self, inner: Model, retries: Retries = RETRIES, uniform: Callable[[], float] = random.random) -> None:
        self._inner = inner
        self._retries = retries
        self._uniform = uniform

    async def ask(self, prompt: Prompt, *, deadline: float, budget: Budget) -> Answer:
        loop = asyncio.get_running_loop()
        started = loop.time()
        spent = _Spent()
        while True:
            try:
                answer = await self._inner.ask(prompt, deadline=deadline, budget=budget)
            except ModelError as error:
                spent.add(error)
                wait = self._retries.wait_s(spent.failures, error.retry_after_s, self._uniform)
                if not self._again(error, spent, loop.time() + wait, deadline, budget):
                    raise spent.error() from None
            else:
                return spent.onto(answer, round((loop.time() - started) * 1000))
            await asyncio.sleep(wait)

    def _again(self, error: ModelError, spent: _Spent, at: float, deadline: float, budget: Budget) -> bool:
        return error.retryable and spent.failures < self._retries.attempts and at < deadline and budget.allows(1)


class _Spent:
    """What failed attempts of one question used up."""

    def __init__(self) -> None:
        self.failures = 0
        self._attempts = 0
        self._tokens_in = 0
        self._tokens_out = 0
        self._cost = 0.0
        self._cause: ModelError | None = None

    def add(self, error: ModelError) -> None:
        """Account for one more failure."""
        self.failures += 1
        self._attempts += error.attempts
        self._tokens_in += error.tokens_in
        self._tokens_out += error.tokens_out
        self._cost += error.cost
        # Another call may take the last of a shared budget while we wait: what failed first stays the cause.
        if self._cause is None or not isinstance(error, BudgetSpent):
            self._cause = error

    def error(self) -> ModelError:
        """The failure that the caller should see, carrying the sum of all attempts."""
        assert self._cause is not None, "asked for after a failure only"
        cause = self._cause
        cause.attempts = self._attempts
        cause.tokens_in, cause.tokens_out, cause.cost = self._tokens_in, self._tokens_out, self._cost
        return cause

    def onto(self, answer: Answer, latency_ms: int) -> Answer:
        """``answer`` with the failed attempts' part in it; ``latency_ms`` from the question to the reply."""
        return answer.model_copy(
            update={
                "attempts": answer.attempts + self._attempts,
                "tokens_in": answer.tokens_in + self._tokens_in,
                "tokens_out": answer.tokens_out + self._tokens_out,
                "cost": answer.cost + self._cost,
                "latency_ms": latency_ms,
            }
        )
