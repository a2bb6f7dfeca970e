"""Tells an observer about every single attempt: what metrics and tests count."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from consensus.errors import ModelError
from consensus.models.protocol import Budget, Model, Prompt
from consensus.policy import ModelPolicy
from consensus.types import Answer

Observe = Callable[[ModelPolicy, Answer | ModelError, float], None]
"""Called with the model's policy, the answer or the error, and the seconds it took. Must not raise, must not block."""


class Metered:
    """``inner`` with every attempt reported. Sits closest to the provider: a retried call is reported each time."""

    def __init__(self, inner: Model, policy: ModelPolicy, observe: Observe) -> None:
        self._inner = inner
        self._policy = policy
        self._observe = observe

    async def ask(self, prompt: Prompt, *, deadline: float, budget: Budget) -> Answer:
        loop = asyncio.get_running_loop()
        started = loop.time()
        try:
            answer = await self._inner.ask(prompt, deadline=deadline, budget=budget)
        except ModelError as error:
            self._observe(self._policy, error, loop.time() - started)
            raise
        self._observe(self._policy, answer, loop.time() - started)
        return answer
