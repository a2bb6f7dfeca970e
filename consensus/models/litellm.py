"""Models behind litellm: one call, no retry of its own. The only module that imports litellm (seconds, so lazily).

litellm is used as a translator between providers' dialects and for nothing else: no retries, no fallbacks, no cache, no
price list over the network, no callbacks, and no log line, since its lines quote what was said.
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
import warnings
from collections.abc import Coroutine
from typing import Any

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # before the import: it downloads a price list otherwise

import litellm
from litellm.constants import openai_compatible_providers
from litellm.litellm_core_utils import logging_worker
from litellm.llms.custom_httpx.http_handler import AsyncHTTPHandler
from openai import AsyncOpenAI

from consensus.errors import ModelError
from consensus.models import exchange, failures, reply
from consensus.models.exchange import Exchange
from consensus.models.protocol import Budget, Prompt
from consensus.policy import ModelPolicy
from consensus.types import Answer, Failure

NO_KEY = "none"
"""Sent where the configuration names no key: without it, litellm sends any key that it finds in the environment."""

HEADERS = frozenset({"traceparent", "tracestate", "x-request-id"})
TOP_LOGPROBS = (5, 20)
"""Fewest and most alternatives asked for per token; in between, one for each allowed answer."""

_OWN_HTTP = frozenset({"hosted_vllm", "groq", "deepseek", "xai", "fireworks_ai", "together_ai", "cometapi", "edenai"})
"""OpenAI-compatible providers that litellm calls through its own HTTP client instead of the openai package's."""


def _quieten() -> None:
    litellm.telemetry = False
    litellm.suppress_debug_info = True
    litellm.turn_off_message_logging = True
    litellm.callbacks, litellm.success_callback, litellm.failure_callback = [], [], []
    for noisy in ("LiteLLM", "LiteLLM Router", "LiteLLM Proxy"):
        logging.getLogger(noisy).setLevel(logging.CRITICAL + 1)
    for noisy in ("httpx", "openai._base_client"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    # Raised about replies of the wrong shape, with the reply's text in it.
    warnings.filterwarnings("ignore", message="Pydantic serializer warnings", category=UserWarning)

    setattr(logging_worker, "GLOBAL_LOGGING_WORKER", _Discarding())  # noqa: B010 - it is declared final


class _Discarding:
    """Takes the place of litellm's queue of replies for callbacks, which we have none of.

    The queue holds up to 50,000 replies, runs a task for each, and is worked off when the process exits.
    """

    def ensure_initialized_and_enqueue(self, async_coroutine: Coroutine[Any, Any, None]) -> None:
        """Drop the work unstarted."""
        async_coroutine.close()


_quieten()


class Connections:
    """The HTTP client that all models of a process share: bounded replies, no redirects, no compression asked for."""

    def __init__(self) -> None:
        self.handler = AsyncHTTPHandler(event_hooks={"response": [exchange.observe]})
        self.handler.client.follow_redirects = False  # a redirect would carry the prompt to a host nobody configured
        self.handler.client.headers["accept-encoding"] = "identity"

    async def aclose(self) -> None:
        await self.handler.client.aclose()


class LiteLLM:
    """One configured model. Implements `consensus.models.protocol.Model` for a single attempt.

    ``api_key`` is the secret itself, or ``None`` where the provider wants none. A model that refuses an enforced JSON
    Schema although ``structured`` is ``auto`` is asked once more without it, and remembered.
    """

    def __init__(self, policy: ModelPolicy, api_key: str | None, connections: Connections) -> None:
        self._policy = policy
        self._secrets = (api_key,) if api_key else ()
        self._bounds = exchange.bounds(policy.max_tokens, policy.logprobs)
        self._fixed = self._arguments(policy, api_key, connections)
        self._enforce = policy.structured == "on" or (
            policy.structured == "auto" and bool(litellm.supports_response_schema(policy.model))
        )
        self._refused_templates: set[str] = set()

    async def ask(self, prompt: Prompt, *, deadline: float, budget: Budget) -> Answer:
        structured = self._enforce and prompt.schema is not None and prompt.template not in self._refused_templates
        try:
            return await self._attempt(prompt, structured, deadline, budget)
        except _SchemaRefused:
            if self._policy.structured == "on":
                raise
        try:
            answer = await self._attempt(prompt, False, deadline, budget)
        except ModelError as error:
            error.attempts += 1
            raise
        self._refused_templates.add(prompt.template)
        return answer.model_copy(update={"attempts": answer.attempts + 1})

    async def _attempt(self, prompt: Prompt, structured: bool, deadline: float, budget: Budget) -> Answer:
        started = asyncio.get_running_loop().time()
        seconds = min(self._policy.timeout_s, deadline - started)
        if seconds <= 0:
            raise _unpaid(ModelError(Failure.TIMEOUT, "the deadline had passed before the call was made"))
        budget.take_call()
        seen = Exchange(self._bounds)
        response = await self._call(prompt, structured, seconds, seen)
        elapsed_ms = round((asyncio.get_running_loop().time() - started) * 1000)
        return self._read(prompt, response, seen, structured, elapsed_ms, budget)

    async def _call(self, prompt: Prompt, structured: bool, seconds: float, seen: Exchange) -> Any:
        token = exchange.CURRENT.set(seen)
        try:
            async with asyncio.timeout(seconds):
                return await litellm.acompletion(**self._fixed, **self._varying(prompt, structured, seconds))
        except Exception as error:  # noqa: BLE001 - the edge: whatever is raised here is translated
            cause = failures.translate(error, seen, self._secrets)
            if structured and cause.failure is Failure.BAD_REQUEST and seen.status in (400, 422):
                cause = _SchemaRefused(cause.failure, str(cause))
            raise cause from None
        finally:
            exchange.CURRENT.reset(token)

    def _read(
        self, prompt: Prompt, response: Any, seen: Exchange, structured: bool, elapsed_ms: int, budget: Budget
    ) -> Answer:
        payload = seen.payload
        spent = reply.usage(payload, response, self._policy)
        budget.add_cost(spent.cost)
        choice = response.choices[0] if response.choices else None
        text, reason = reply.words(choice, payload)
        failure = reply.missing(text, reason)
        if failure is not None:
            raise ModelError(
                failure,
                f"{failure}: HTTP 200 without a usable reply",
                retryable=True,
                finish_reason=reason,
                tokens_in=spent.tokens_in,
                tokens_out=spent.tokens_out,
                cost=spent.cost,
            )
        return Answer(
            model=self._policy.name,
            model_version=reply.name(payload.get("model")) or reply.name(getattr(response, "model", None)),
            family=self._policy.family,
            text=text,
            structured=structured,
            finish_reason=reason,
            logprobs=reply.logprobs(choice) if self._policy.logprobs else None,
            **spent._asdict(),
            latency_ms=elapsed_ms,
            attempts=1,
            prompt_hash=prompt.hash,
        )

    @staticmethod
    def _arguments(policy: ModelPolicy, api_key: str | None, connections: Connections) -> dict[str, Any]:
        """What is the same in every call and comes from the configuration alone."""
        key = api_key or (NO_KEY if policy.api_base else None)
        fixed: dict[str, Any] = {
            "model": policy.model,
            "api_base": policy.api_base,
            "api_key": key,
            "max_tokens": policy.max_tokens,
            "num_retries": 0,
            "max_retries": 0,
            "client": _client(policy, key, connections),
        }
        return {name: value for name, value in fixed.items() if value is not None}

    def _varying(self, prompt: Prompt, structured: bool, seconds: float) -> dict[str, Any]:
        """What belongs to one call. Nothing of a request but the words of its messages gets in here."""
        varying: dict[str, Any] = {
            "messages": [{"role": message.role, "content": message.content} for message in prompt.messages],
            "timeout": seconds + 1.0,  # ours ends the call; theirs would be reported as another failure
        }
        headers = {key: value for key, value in prompt.headers.items() if key in HEADERS and _plain(value)}
        if headers:
            varying["extra_headers"] = headers
        if structured:
            schema = {"name": re.sub(r"[^\w-]", "_", prompt.template)[:64], "schema": prompt.schema, "strict": True}
            varying["response_format"] = {"type": "json_schema", "json_schema": schema}
        if self._policy.logprobs:
            fewest, most = TOP_LOGPROBS
            varying["logprobs"] = True
            varying["top_logprobs"] = min(max(fewest, len(prompt.options)), most)
        return varying


class _SchemaRefused(ModelError):
    """The provider did not take the request while a JSON Schema was part of it."""


def _unpaid(error: ModelError) -> ModelError:
    error.attempts = 0
    return error


def _client(policy: ModelPolicy, api_key: str | None, connections: Connections) -> object | None:
    """Our bounded HTTP client in the form in which litellm takes it for this provider."""
    _, provider, _, api_base = litellm.get_llm_provider(policy.model, api_base=policy.api_base)
    if provider.startswith("azure"):
        return None  # wants a client of its own kind; its replies are bounded by the provider's token limit alone
    if provider in ("openai", "custom_openai") or provider in set(openai_compatible_providers) - _OWN_HTTP:
        if api_key is None or (api_base is None and provider != "openai"):
            return None
        return AsyncOpenAI(api_key=api_key, base_url=api_base, http_client=connections.handler.client, max_retries=0)
    return connections.handler


def _plain(value: str) -> bool:
    return value.isascii() and value.isprintable()
