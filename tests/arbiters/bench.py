"""Building blocks of the arbiter tests: disputes, and arbiters that are plain functions of what they are shown."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from arbiters.judge import Arbiter, Bench
from consensus.dispute import Candidate, Dispute
from consensus.errors import ModelError
from consensus.models import Member
from consensus.models.protocol import Budget, Prompt
from consensus.policy import ArbiterPolicy, BudgetPolicy, ModelPolicy, Policy
from consensus.types import Answer, AnswerSpec, ChoiceSpec, LabelValue, Request, Stakes

CHOICE = ChoiceSpec.model_validate(
    {"options": [{"id": "A", "text": "Paris"}, {"id": "B", "text": "Lyon"}, "C", "D", "E"]}
)

Shown = list[tuple[str, str]]
"""(shown id, shown text) of the candidates, in the order in which they appear in the prompt."""


def shown(prompt: Prompt) -> Shown:
    text = prompt.messages[1].content
    return re.findall(r"candidate (\w+):\n<<\w+>>\n(.*?)\n<</\w+>>", text, re.DOTALL)


def says(decision: str, reasoning: str = "because") -> str:
    return json.dumps({"reasoning": reasoning, "decision": decision})


@dataclass
class FakeModel:
    """Answers with ``reply(prompt)``; remembers every prompt."""

    reply: Callable[[Prompt], str]
    prompts: list[Prompt]

    async def ask(self, prompt: Prompt, *, deadline: float, budget: Budget) -> Answer:
        budget.take_call()
        self.prompts.append(prompt)
        await asyncio.sleep(0)  # let the other order be asked, as any real call would
        text = self.reply(prompt)
        return Answer(model="judge", model_version="judge-v1", family="x", text=text, cost=0.5, attempts=1)


def picks(text: str) -> Callable[[Prompt], str]:
    """An unbiased judge that holds the candidate with ``text`` in it to be right, wherever it appears."""
    return lambda prompt: says(next((key for key, body in shown(prompt) if text in body), "none_correct"))


def first_always(prompt: Prompt) -> str:
    """A judge with nothing but position bias."""
    return says(shown(prompt)[0][0])


def fails_with(error: ModelError) -> Callable[[Prompt], str]:
    def reply(prompt: Prompt) -> str:
        raise error

    return reply


def arbiter(name: str, family: str, reply: Callable[[Prompt], str]) -> Arbiter:
    policy = ModelPolicy(name=f"{name}-model", model="openai/judge", family=family)
    return Arbiter(ArbiterPolicy(name=name, model=policy.name), Member(policy, FakeModel(reply, [])))


def bench(*arbiters: Arbiter) -> Bench:
    return Bench({one.policy.name: one for one in arbiters})


def prompts(one: Arbiter) -> list[Prompt]:
    assert isinstance(one.member.model, FakeModel)
    return one.member.model.prompts


def dispute(
    labels: Mapping[str, LabelValue],
    *,
    spec: AnswerSpec = CHOICE,
    arbiters: tuple[str, ...] = ("first",),
    prompt: str = "Capital?",
) -> Dispute:
    """One candidate per family: ``{"alpha": "A", "beta": "B"}``."""
    request = Request(id="r1", domain="law", stakes=Stakes.LOW, prompt=prompt, answer=spec)
    candidates = tuple(
        Candidate(f"side{index}", label, frozenset({family})) for index, (family, label) in enumerate(labels.items())
    )
    return Dispute(request, candidates, Policy(name="p", panel="main", arbiters=arbiters), "nonce")


def budget(calls: int = 32) -> Budget:
    return Budget(BudgetPolicy(calls=calls))
