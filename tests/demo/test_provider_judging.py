"""Simulated arbiters decide what a real comparison puts before them."""

from __future__ import annotations

import pytest

from arbiters.prompt import compare
from arbiters.reading import read
from consensus.demo.judging import DOUBT, FINDS_NONE, POSITION_BIAS, decide, offer
from consensus.demo.simulated import MODELS
from consensus.demo.truth import Truth
from consensus.dispute import Candidate, Dispute
from consensus.policy import Policy
from consensus.types import LabelValue, Request
from tests.demo.test_provider_simulated import SPECS

JUDGE = MODELS["sim-fornax-judge"]
POLICY = Policy(name="p", panel="main")


def _decisions(kind: str, number: int, a: LabelValue, b: LabelValue) -> list[str]:
    """What the judge says in both orders: ``a``, ``b`` or a verdict."""
    spec, gold = SPECS[kind]
    question = f"{kind} dispute {number}?"
    truth = Truth.model_validate({"question": question, "answer": spec, "gold": gold})
    raw = {"id": "r", "domain": "law", "stakes": "high", "prompt": question, "answer": spec}
    candidates = (Candidate("a", a, frozenset({"x"})), Candidate("b", b, frozenset({"y"})))
    dispute = Dispute(Request.model_validate(raw), candidates, POLICY, f"nonce-{number}")
    said = []
    for order in (candidates, candidates[::-1]):
        comparison = compare(dispute, order, 4_000)
        offered = offer("\n\n".join(message.content for message in comparison.prompt.messages))
        assert offered is not None
        reply = read(decide(JUDGE, truth, offered, seed=1).text, {*comparison.ids, "tie", "none_correct", "abstain"})
        assert reply is not None
        said.append(comparison.ids.get(reply.decision, reply.decision))
    return said


WRONG: dict[str, LabelValue] = {
    "choice": "gamma",
    "boolean": False,
    "number": 99,
    "labels": ["red"],
    "object": {"total": 4, "late": False, "name": "x"},
}


@pytest.mark.parametrize("kind", WRONG)
def test_it_finds_the_right_candidate_with_its_skill_and_flips_with_its_bias(kind: str) -> None:
    gold: LabelValue = SPECS[kind][1]  # type: ignore[assignment]
    both = [_decisions(kind, i, gold, WRONG[kind]) for i in range(1_500)]
    flips = sum(one == "a" and two == "b" for one, two in both) / len(both)
    doubts = sum(one == two == "abstain" for one, two in both) / len(both)
    right = sum(one == two == "a" for one, two in both)
    wrong = sum(one == two == "b" for one, two in both)
    assert flips == pytest.approx(POSITION_BIAS, abs=0.03)
    assert doubts == pytest.approx(DOUBT, abs=0.02)
    assert right / (right + wrong) == pytest.approx(JUDGE.judge, abs=0.03)


def test_where_neither_is_right_it_often_says_so_and_else_keeps_to_one() -> None:
    both = [_decisions("choice", i, "alpha", "gamma") for i in range(400)]
    none = sum(one == two == "none_correct" for one, two in both)
    stays = sum(one == two == "a" for one, two in both)
    assert none / (none + stays) == pytest.approx(FINDS_NONE, abs=0.08)
    assert not any(one == two == "b" for one, two in both)


@pytest.mark.parametrize(
    "prompt",
    [
        "",
        "What is it?",
        '"decision": "<one of: a, b, tie>"',
        '{"decision": "a"}',
        "candidate a:\n<<x>>\n1\n<</x>>",
    ],
)
def test_other_prompts_offer_nothing(prompt: str) -> None:
    assert offer(prompt) is None
