"""The equivalence judge: both orders, and everything that is no clear yes counts as not comparable."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from consensus.answers import Sameness
from consensus.equivalence_judge import Judge
from consensus.errors import ModelError, StoreUnavailable
from consensus.models import Member
from consensus.models.protocol import Budget, MemoryLog, Prompt, call_headers
from consensus.pipeline import Resources, decide
from consensus.policy import BudgetPolicy, ModelPolicy, PanelPolicy
from consensus.types import Answer, Failure, Kind
from tests.ballots import policy, request
from tests.models_fake import member, says

FIRST = "The tenant may deduct the cost of the repair from the rent."
SECOND = "Yes: such expenses can be set off against what is owed monthly."
TEXT = {"type": "text", "equivalence": "judge"}


class Oracle:
    """Says what ``said`` gives for the text that is shown first; keeps the prompts."""

    def __init__(self, said: dict[str, Any]) -> None:
        self.said = said
        self.prompts: list[Prompt] = []

    async def ask(self, prompt: Prompt, *, deadline: float, budget: Budget) -> Answer:
        budget.take_call()
        self.prompts.append(prompt)
        shown = prompt.messages[1].content
        reply = self.said[FIRST if shown.index(FIRST) < shown.index(SECOND) else SECOND]
        if isinstance(reply, Exception):
            raise reply
        text = reply if isinstance(reply, str) else json.dumps({"reasoning": "…", "same": reply})
        return Answer(model="judge", family="far", text=text, attempts=1)


def judge(oracle: Oracle, *, calls: int = 32, log: MemoryLog | None = None) -> Judge:
    model = ModelPolicy(name="judge", model="openai/judge", family="far")
    budget = Budget(BudgetPolicy(calls=calls))
    return Judge(Member(model, oracle), request(answer=TEXT), "0" * 16, log or MemoryLog(), float("inf"), budget)


@pytest.mark.parametrize(
    ("forth", "back", "expected"),
    [
        (True, True, Sameness.SAME),
        (False, False, Sameness.DIFFERENT),
        (True, False, Sameness.UNDECIDED),
        (True, None, Sameness.UNDECIDED),
        (True, "I think so", Sameness.UNDECIDED),
        (True, '{"same": true} {"same": false}', Sameness.UNDECIDED),
        (True, ModelError(Failure.TIMEOUT, "late"), Sameness.UNDECIDED),
    ],
)
async def test_only_both_orders_together_decide(forth: Any, back: Any, expected: Sameness) -> None:
    found = await judge(Oracle({FIRST: forth, SECOND: back})).judged([FIRST, None, SECOND, FIRST])
    assert found == {(0, 2): expected}


async def test_what_rules_decide_is_not_asked() -> None:
    oracle = Oracle({})
    assert await judge(oracle).judged(["It is 5 km.", "It is 7 km.", "It is 5 km."]) == {}
    assert oracle.prompts == []


async def test_without_the_budget_for_both_orders_nothing_is_asked() -> None:
    oracle = Oracle({FIRST: True, SECOND: True})
    assert await judge(oracle, calls=1).judged([FIRST, SECOND]) == {}
    assert oracle.prompts == []


async def test_a_recorded_judgement_is_not_paid_for_again() -> None:
    log = MemoryLog()
    oracle = Oracle({FIRST: True, SECOND: True})
    first = await judge(oracle, log=log).judged([FIRST, SECOND])
    again = await judge(oracle, log=log).judged([FIRST, SECOND])
    assert again == first == {(0, 1): Sameness.SAME}
    assert len(oracle.prompts) == 2


async def test_a_store_that_does_not_answer_is_told_as_it_is() -> None:
    """Not in a group of errors, which would count against the request like a crash."""

    class Down(MemoryLog):
        async def record(self, key: str, answer: Answer, *, deadline: float = 0.0) -> None:
            raise StoreUnavailable("down")

    with pytest.raises(StoreUnavailable):
        await judge(Oracle({FIRST: True, SECOND: True}), log=Down()).judged([FIRST, SECOND])


async def test_the_pipeline_puts_undecided_texts_to_the_policys_judge() -> None:
    model = ModelPolicy(name="judge", model="openai/judge", family="far")
    members = {
        "a": member("a", says(FIRST)),
        "b": member("b", says(SECOND)),
        "judge": Member(model, Oracle({FIRST: True, SECOND: True})),
    }
    panel = PanelPolicy(name="main", models=("a", "b"), quorum=2, min_families=2)
    for name, kind, calls in ((None, Kind.REASONING, 0), ("judge", Kind.STYLISTIC, 2)):
        resources = Resources(members, {"main": panel}, {"default": policy(judge=name)})
        found = await decide(request(answer=TEXT), resources)
        assert found.verdict.disagreement.kind is kind
        oracle = members["judge"].model
        assert isinstance(oracle, Oracle)
        assert len(oracle.prompts) == calls


async def test_its_calls_say_whose_they_are() -> None:
    """As those of the panel and the arbiters do."""
    oracle = Oracle({FIRST: True, SECOND: True})
    await judge(oracle).judged([FIRST, SECOND])
    assert [prompt.headers for prompt in oracle.prompts] == [call_headers(request(answer=TEXT))] * 2


class Down(MemoryLog):
    """Its first write fails, as that of a store that is away; the answer stays in memory."""

    failed = False

    async def record(self, key: str, answer: Answer, *, deadline: float = 0.0) -> None:
        self.answers[key] = answer
        if not self.failed:
            self.failed = True
            raise StoreUnavailable("away")


async def test_a_write_that_fails_leaves_no_call_behind_and_loses_none() -> None:
    """The other order is heard out, so that another try asks nobody again."""
    oracle, log = Oracle({FIRST: True, SECOND: True}), Down()
    with pytest.raises(StoreUnavailable):
        await judge(oracle, log=log).judged([FIRST, SECOND])
    assert len(asyncio.all_tasks()) == 1
    assert await judge(oracle, log=log).judged([FIRST, SECOND]) == {(0, 1): Sameness.SAME}
    assert len(oracle.prompts) == 2
