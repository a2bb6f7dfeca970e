"""Stands for `consensus.models.litellm` in workers that are killed and started all the time.

The same single attempt over plain HTTP, without the seconds that importing litellm takes. What is around it (retries,
limits, breaker, metering) is the real thing.
"""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp

from consensus.errors import ModelError
from consensus.models.protocol import Budget, Prompt
from consensus.policy import ModelPolicy
from consensus.types import Answer, CostSource, Failure

FAILURES = {429: Failure.RATE_LIMITED, 400: Failure.BAD_REQUEST}
MILLION = 1_000_000


class Connections:
    """One HTTP client for all models; made when it is first needed, on the loop that runs then."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None

    def session(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
        return self._session

    async def aclose(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None


class LiteLLM:
    """One attempt at one model of the demonstration's provider."""

    def __init__(self, policy: ModelPolicy, api_key: str | None, connections: Connections) -> None:
        self._policy = policy
        self._connections = connections

    async def ask(self, prompt: Prompt, *, deadline: float, budget: Budget) -> Answer:
        started = asyncio.get_running_loop().time()
        seconds = min(self._policy.timeout_s, deadline - started)
        if seconds <= 0:
            error = ModelError(Failure.TIMEOUT, "the deadline had passed before the call was made")
            error.attempts = 0
            raise error
        budget.take_call()
        reply = await self._reply(prompt, seconds)
        return self._answer(prompt, reply, budget, asyncio.get_running_loop().time() - started)

    async def _reply(self, prompt: Prompt, seconds: float) -> Any:
        body = {
            "model": self._policy.model.partition("/")[2],
            "messages": [{"role": message.role, "content": message.content} for message in prompt.messages],
        }
        address = f"{self._policy.api_base}/chat/completions"
        try:
            session = self._connections.session()
            async with asyncio.timeout(seconds), session.post(address, json=body, headers=prompt.headers) as reply:
                if reply.status != 200:
                    failure = FAILURES.get(reply.status, Failure.UNAVAILABLE)
                    raise ModelError(failure, f"status {reply.status}", retryable=reply.status != 400)
                return await reply.json()
        except TimeoutError:
            raise ModelError(Failure.TIMEOUT, "no answer in time", retryable=True) from None
        except aiohttp.ClientError as error:
            raise ModelError(Failure.CONNECTION, type(error).__name__, retryable=True) from None
        except ValueError:
            raise ModelError(Failure.MALFORMED, "not JSON") from None

    def _answer(self, prompt: Prompt, reply: Any, budget: Budget, elapsed_s: float) -> Answer:
        choice, usage = reply["choices"][0], reply["usage"]
        tokens_in, tokens_out = usage["prompt_tokens"], usage["completion_tokens"]
        price_in, price_out = self._policy.price_in or 0.0, self._policy.price_out or 0.0
        cost = (tokens_in * price_in + tokens_out * price_out) / MILLION
        budget.add_cost(cost)
        return Answer(
            model=self._policy.name,
            model_version=reply["model"],
            family=self._policy.family,
            text=choice["message"]["content"],
            finish_reason=choice["finish_reason"],
            tokens_in=tokens_in,
            tokens_out=tokens_out,
            cost=cost,
            cost_source=CostSource.CONFIGURED,
            latency_ms=round(elapsed_s * 1000),
            attempts=1,
            prompt_hash=prompt.hash,
        )
