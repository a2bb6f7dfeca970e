"""One litellm HTTP client and one faulty provider per test."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from consensus.models import Budget, Member, Prompt, Retries, build, close
from consensus.policy import BudgetPolicy, ModelPolicy
from consensus.types import Message
from tests.faulty_provider import FaultyProvider, faulty_provider

SCHEMA = {"type": "object", "properties": {"answer": {"type": "string"}}, "required": ["answer"]}
NO_WAIT = Retries(attempts=3, base_s=0.0, most_s=0.0)
ONCE = Retries(attempts=1)

Ask = Callable[..., Member]


def prompt(text: str = "What is it?", **more: object) -> Prompt:
    fields: dict[str, object] = {"messages": (Message(role="user", content=text),), "template": "choice/1", "hash": "h"}
    return Prompt(**{**fields, **more})  # type: ignore[arg-type]


def budget(calls: int = 10, money: float | None = None) -> Budget:
    return Budget(BudgetPolicy(calls=calls, money=money))


def by(seconds: float) -> float:
    """A deadline so many seconds from now."""
    return asyncio.get_running_loop().time() + seconds


@pytest.fixture
async def provider() -> AsyncIterator[FaultyProvider]:
    async with faulty_provider() as running:
        yield running


@pytest.fixture(params=["openai", "hosted_vllm"])
def dialect(request: pytest.FixtureRequest) -> str:
    """Both of litellm's HTTP paths: through the openai package, and through its own client."""
    return str(request.param)


@pytest.fixture
async def connect(provider: FaultyProvider) -> AsyncIterator[Ask]:
    """``connect("m", dialect="openai", retries=NO_WAIT, **policy)``: a member that talks to ``provider``."""
    members: dict[str, Member] = {}

    def make(model: str, dialect: str = "hosted_vllm", retries: Retries = ONCE, **more: object) -> Member:
        fields = {"name": model, "model": f"{dialect}/{model}", "family": "f", "api_base": provider.url, **more}
        policy = ModelPolicy(**fields)  # type: ignore[arg-type]
        members.update(build({model: policy}, {"THE_KEY": "sk-very-secret-0123"}, retries=retries))
        return members[model]

    yield make
    await close(members)
