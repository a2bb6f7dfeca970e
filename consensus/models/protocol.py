"""The seam to models: one protocol of one method, and the plain values that cross it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any, Protocol

from consensus.errors import BudgetSpent
from consensus.policy import BudgetPolicy
from consensus.types import Answer, Message, Request


@dataclass(frozen=True)
class Prompt:
    """What is sent to a model, without anything that names or configures one.

    ``schema`` is a JSON Schema for the reply, used where the provider can enforce it. ``options`` are the allowed
    answers in the words the model was told to use (for renormalising token logprobs), empty for open answers. ``hash``
    covers the template (name and version) only, so that all requests asked in the same way share it.
    """

    messages: tuple[Message, ...]
    template: str
    hash: str
    schema: dict[str, Any] | None = None
    options: tuple[str, ...] = ()
    headers: dict[str, str] = field(default_factory=dict)
    """Tracing only (``traceparent``, ``x-request-id``); set by the service, never from a request's fields."""


def call_id(tenant: str, request_id: str) -> str:
    """What a provider is told about whose call it is: 32 hex characters, from which nobody learns an id or a tenant."""
    return hashlib.sha256(f"call\x00{tenant}\x00{request_id}".encode()).hexdigest()[:32]


def call_headers(request: Request) -> dict[str, str]:
    """Headers of every call that is paid for a request, by the panel, arbiters or judges."""
    return {"x-request-id": call_id(request.tenant, request.id)}


def template_hash(template: str, text: str) -> str:
    """16 hex characters that change whenever the template's name, version or wording does."""
    return hashlib.sha256(json.dumps([template, text]).encode()).hexdigest()[:16]


class Budget:
    """What one request may still spend. Shared by panel, retries, arbiters and judges; one event loop only."""

    def __init__(self, policy: BudgetPolicy, *, calls: int = 0, cost: float = 0.0) -> None:
        self._policy = policy
        self.calls = calls
        self.cost = cost

    def take_call(self) -> None:
        """Account for one attempt before it is made. Raises BudgetSpent when it is not allowed."""
        if self.calls >= self._policy.calls:
            raise BudgetSpent(f"budget of {self._policy.calls} calls is spent")
        if self._policy.money is not None and self.cost >= self._policy.money:
            raise BudgetSpent(f"budget of ${self._policy.money:g} is spent")
        self.calls += 1

    def add_cost(self, cost: float) -> None:
        """Account for the money of an attempt once it is known (dollars)."""
        self.cost += cost

    def adopt(self, answer: Answer) -> None:
        """Account for an answer that was paid for before, by a worker that did not finish the request."""
        self.calls += answer.attempts
        self.cost += answer.cost

    def allows(self, calls: int) -> bool:
        """Whether ``calls`` more calls fit, money not being spent yet."""
        if self._policy.money is not None and self.cost >= self._policy.money:
            return False
        return self.calls + calls <= self._policy.calls


class Model(Protocol):
    """Anything that answers a prompt. Wrappers (limits, retries, recording) have the same one method."""

    async def ask(self, prompt: Prompt, *, deadline: float, budget: Budget) -> Answer:
        """Answer by ``deadline`` (seconds of the running loop's clock).

        Returns an Answer with ``text``; raises ModelError with a typed failure. Never returns an answer with a failure.
        """
        ...


class CallLog(Protocol):
    """Answers recorded for one request: a call whose answer is here is never paid for again (I5).

    Keys name the call: ``panel:<model>``, ``arbiter:<name>:<purpose>:<order>``, ``judge:<digest>:<digest>``.
    """

    def recorded(self, key: str) -> Answer | None:
        """The answer (or failure) kept under ``key``, without I/O."""
        ...

    async def paid(self, key: str, *, deadline: float = 0.0) -> Answer | None:
        """Like `recorded`, asked right before a call is begun: where somebody else may have paid for it by now, this
        looks again, as long as it takes until ``deadline`` (seconds of the running loop's clock).
        """
        ...

    async def record(self, key: str, answer: Answer, *, deadline: float = 0.0) -> None:
        """Keep an answer durably before it is used.

        It may be tried until ``deadline`` (seconds of the running loop's clock); one that has passed allows one try.
        """
        ...


class MemoryLog:
    """A call log without a store: for ``decide`` without Kafka, and for tests."""

    def __init__(self, answers: dict[str, Answer] | None = None) -> None:
        self.answers = dict(answers or {})

    def recorded(self, key: str) -> Answer | None:
        return self.answers.get(key)

    async def paid(self, key: str, *, deadline: float = 0.0) -> Answer | None:
        return self.recorded(key)

    async def record(self, key: str, answer: Answer, *, deadline: float = 0.0) -> None:
        self.answers[key] = answer
