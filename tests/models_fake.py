"""Models without a network: a script of replies, delays and failures."""

from __future__ import annotations

import asyncio
import json

from consensus.errors import ModelError
from consensus.models import Member
from consensus.models.protocol import Budget, Prompt
from consensus.policy import ModelPolicy
from consensus.types import Answer, Failure


class Scripted:
    """Answers with ``reply`` (a label for JSON, or an error) after ``delay_s``; counts its calls."""

    def __init__(self, name: str, family: str, reply: object, delay_s: float = 0.0) -> None:
        self.name = name
        self.family = family
        self.reply = reply
        self.delay_s = delay_s
        self.calls = 0

    async def ask(self, prompt: Prompt, *, deadline: float, budget: Budget) -> Answer:
        budget.take_call()
        self.calls += 1
        await self._think(deadline)
        if isinstance(self.reply, Exception):
            raise self.reply
        budget.add_cost(0.01)
        text = self.reply if isinstance(self.reply, str) else json.dumps(self.reply)
        return Answer(
            model=self.name, model_version=f"{self.name}-v1", family=self.family, text=text, finish_reason="stop",
            cost=0.01, attempts=1, prompt_hash=prompt.hash,
        )  # fmt: skip

    async def _think(self, deadline: float) -> None:
        if not self.delay_s:
            return
        loop = asyncio.get_running_loop()
        thought = asyncio.Event()
        loop.call_later(self.delay_s, thought.set)
        try:
            async with asyncio.timeout_at(deadline):
                await thought.wait()
        except TimeoutError:
            raise ModelError(Failure.TIMEOUT, "no answer by the deadline") from None


def member(name: str, reply: object, *, family: str | None = None, delay_s: float = 0.0) -> Member:
    """A panel member of its own family. ``reply``: text, a JSON value, or an exception to raise."""
    lineage = family or f"family-{name}"
    policy = ModelPolicy(name=name, model=f"openai/{name}", family=lineage, price_in=1, price_out=1)
    return Member(policy, Scripted(name, lineage, reply, delay_s))


def says(value: object, confidence: float = 0.8) -> dict[str, object]:
    """The reply the prompt asks for."""
    return {"answer": value, "confidence": confidence}
