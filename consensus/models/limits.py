"""What one model may be asked at a time and per minute, as wrappers. All waits end at the deadline.

A call that is still waiting at its deadline was never made: it fails with ``rate_limited``, no attempt is counted and
nothing is taken from the budget.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiolimiter import AsyncLimiter

from consensus.errors import ModelError
from consensus.models.protocol import Budget, Model, Prompt
from consensus.types import Answer, Failure

CHARACTERS_PER_TOKEN = 3
"""To estimate a prompt's tokens before the provider counts them: on the careful side for English."""

MOST_WAITING = 10_000
"""Calls that may wait for a slot of one model; more are turned away at once."""

OVERLOADED = frozenset({Failure.RATE_LIMITED, Failure.UNAVAILABLE})


class PerMinute:
    """At most ``rpm`` calls and ``tpm`` tokens (estimated prompt + ``max_tokens``) per minute, as leaky buckets."""

    def __init__(self, inner: Model, *, rpm: int | None, tpm: int | None, max_tokens: int) -> None:
        self._inner = inner
        self._calls = AsyncLimiter(rpm, 60.0) if rpm else None
        self._tokens = AsyncLimiter(tpm, 60.0) if tpm else None
        self._max_tokens = max_tokens

    async def ask(self, prompt: Prompt, *, deadline: float, budget: Budget) -> Answer:
        try:
            async with asyncio.timeout_at(deadline):
                await self._admit(prompt)
        except TimeoutError:
            raise not_made("no room within the calls or tokens per minute before the deadline") from None
        return await self._inner.ask(prompt, deadline=deadline, budget=budget)

    async def _admit(self, prompt: Prompt) -> None:
        if self._tokens is not None:
            estimate = sum(len(message.content) for message in prompt.messages) / CHARACTERS_PER_TOKEN
            # A single prompt above the minute's tokens would wait for ever: it takes the whole bucket instead.
            await self._tokens.acquire(min(estimate + self._max_tokens, self._tokens.max_rate))
        if self._calls is not None:
            await self._calls.acquire()


class InFlight:
    """At most ``most`` calls at a time, fewer while the provider says that it is overloaded.

    Additive increase, multiplicative decrease: a 429 or 5xx halves the limit (once per ``settle_s``, since the calls
    that were already out will fail too), every ``limit`` successes raise it by one. Callers are served in order.
    """

    def __init__(self, inner: Model, most: int, settle_s: float = 1.0) -> None:
        self._inner = inner
        self._most = most
        self._settle_s = settle_s
        self._settled_at = float("-inf")
        self._limit = float(most)
        self._running = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    @property
    def limit(self) -> int:
        """Calls that may run at the same time now, in [1, most]."""
        return int(self._limit)

    async def ask(self, prompt: Prompt, *, deadline: float, budget: Budget) -> Answer:
        async with self._slot(deadline):
            try:
                answer = await self._inner.ask(prompt, deadline=deadline, budget=budget)
            except ModelError as error:
                if error.failure in OVERLOADED and error.attempts:
                    self._shrink()
                raise
            self._limit = min(float(self._most), self._limit + 1 / self._limit)
            return answer

    def _shrink(self) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._settled_at >= self._settle_s:
            self._settled_at = now
            self._limit = max(1.0, self._limit / 2)

    @asynccontextmanager
    async def _slot(self, deadline: float) -> AsyncIterator[None]:
        if self._running >= self.limit or self._waiting:
            await self._turn(deadline)
        else:
            self._running += 1
        try:
            yield
        finally:
            self._running -= 1
            self._wake()

    async def _turn(self, deadline: float) -> None:
        """Wait until `_wake` hands over a slot, already counted in ``_running``."""
        if len(self._waiting) >= MOST_WAITING:
            raise not_made(f"{MOST_WAITING} calls are waiting already")
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            async with asyncio.timeout_at(deadline):
                await turn
        except BaseException as error:
            if turn.done() and not turn.cancelled():  # the slot came together with the time out: pass it on
                self._running -= 1
                self._wake()
            else:
                self._waiting.remove(turn)
            if isinstance(error, TimeoutError):
                raise not_made("no free slot among the calls in flight before the deadline") from None
            raise

    def _wake(self) -> None:
        while self._waiting and self._running < self.limit:
            turn = self._waiting.popleft()
            if not turn.done():
                self._running += 1
                turn.set_result(None)


def not_made(why: str) -> ModelError:
    """The error of a call that our own limits kept from being made."""
    error = ModelError(Failure.RATE_LIMITED, f"{Failure.RATE_LIMITED}: {why}")
    error.attempts = 0
    return error
