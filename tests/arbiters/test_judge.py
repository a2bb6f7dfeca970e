"""The bench: who is asked, what they see, and what it takes to decide."""

from __future__ import annotations

import asyncio

import pytest

from consensus.errors import ModelError, StoreUnavailable
from consensus.models.protocol import CallLog, MemoryLog, Prompt
from consensus.types import Answer, Arbitration, Failure, NumberSpec, TextSpec
from tests.arbiters.bench import (
    arbiter,
    bench,
    budget,
    dispute,
    fails_with,
    first_always,
    picks,
    prompts,
    says,
    shown,
)

TWO = {"alpha": "A", "beta": "B"}


async def rule(the_bench, the_dispute, *, log: CallLog | None = None, seconds: float = 60.0, calls: int = 32):
    deadline = asyncio.get_running_loop().time() + seconds
    return await the_bench.arbitrate(the_dispute, log=log or MemoryLog(), deadline=deadline, budget=budget(calls))


async def test_a_consistent_judge_decides_in_both_orders() -> None:
    judge = arbiter("first", "gamma", picks("Lyon"))
    ruling = await rule(bench(judge), dispute(TWO))
    assert (ruling.decision, ruling.label, ruling.arbiter, ruling.family) == ("decided", "B", "first", "gamma")
    assert [call.order for call in ruling.calls] == [("side0", "side1"), ("side1", "side0")]
    assert [call.decision for call in ruling.calls] == ["side1", "side1"]
    assert (ruling.model_version, ruling.rationale) == ("judge-v1", "because")
    assert sum(call.cost for call in ruling.calls) == 1.0


async def test_a_judge_that_prefers_a_position_never_decides() -> None:
    ruling = await rule(bench(arbiter("first", "gamma", first_always)), dispute(TWO))
    assert (ruling.decision, ruling.label, ruling.rationale) == ("flip", None, None)


@pytest.mark.parametrize("decision", ["tie", "none_correct", "abstain"])
async def test_doubt_decides_nothing(decision: str) -> None:
    ruling = await rule(bench(arbiter("first", "gamma", lambda _: says(decision))), dispute(TWO))
    assert (ruling.decision, ruling.label) == (decision, None)


async def test_the_judge_is_blind() -> None:
    judge = arbiter("first", "gamma", picks("Lyon"))
    await rule(bench(judge), dispute({"alpha-family": "A", "beta-family": "B"}))
    text = "\n".join(message.content for prompt in prompts(judge) for message in prompt.messages)
    for secret in ("alpha-family", "beta-family", "side0", "side1", "gamma", "votes:"):
        assert secret not in text
    assert "Capital?" in text
    assert "B: Lyon" in text


async def test_ids_and_delimiters_differ_between_calls() -> None:
    judge = arbiter("first", "gamma", picks("Lyon"))
    await rule(bench(judge), dispute(TWO))
    one, other = prompts(judge)
    assert [text for _, text in shown(one)] == [text for _, text in shown(other)][::-1]
    assert not {key for key, _ in shown(one)} & {key for key, _ in shown(other)}


async def test_a_family_that_voted_may_not_arbitrate_and_the_next_is_asked() -> None:
    partial, judge = arbiter("first", "beta", picks("Lyon")), arbiter("second", "gamma", picks("Paris"))
    ruling = await rule(bench(partial, judge), dispute(TWO, arbiters=("first", "second")))
    assert (ruling.arbiter, ruling.label, prompts(partial)) == ("second", "A", [])


async def test_no_eligible_arbiter_is_none() -> None:
    assert await rule(bench(arbiter("first", "alpha", picks("Lyon"))), dispute(TWO)) is None
    assert await rule(bench(), dispute(TWO, arbiters=())) is None


@pytest.mark.parametrize(("seconds", "calls"), [(1.9, 32), (60.0, 1)])
async def test_an_arbiter_without_time_or_budget_for_both_orders_is_not_asked(seconds: float, calls: int) -> None:
    judge = arbiter("first", "gamma", picks("Lyon"))
    assert await rule(bench(judge), dispute(TWO), seconds=seconds, calls=calls) is None
    assert prompts(judge) == []


async def test_a_failed_arbiter_hands_over_to_the_next_and_its_calls_are_kept() -> None:
    broken = arbiter("first", "gamma", fails_with(ModelError(Failure.TIMEOUT, "too slow", cost=0.25)))
    judge = arbiter("second", "delta", picks("Lyon"))
    ruling = await rule(bench(broken, judge), dispute(TWO, arbiters=("first", "second")))
    assert (ruling.arbiter, ruling.label, ruling.reasons) == ("second", "B", ("arbiter_failed:first",))
    assert [call.failure for call in ruling.calls] == [Failure.TIMEOUT, Failure.TIMEOUT, None, None]
    assert sum(call.cost for call in ruling.calls) == 1.5


async def test_one_failed_order_is_not_a_neutral_score() -> None:
    calls = iter([True, False])

    def reply(prompt: Prompt) -> str:
        if next(calls):
            return says("tie")
        raise ModelError(Failure.UNAVAILABLE, "down")

    ruling = await rule(bench(arbiter("first", "gamma", reply)), dispute(TWO))
    assert (ruling.decision, ruling.label) == ("failed", None)


async def test_an_unreadable_reply_is_repaired_once() -> None:
    def reply(prompt: Prompt) -> str:
        return picks("Lyon")(prompt) if len(prompt.messages) == 4 else "The second one, clearly."

    judge = arbiter("first", "gamma", reply)
    ruling = await rule(bench(judge), dispute(TWO))
    assert (ruling.decision, ruling.label) == ("decided", "B")
    assert [(call.purpose, call.decision) for call in ruling.calls] == [
        ("compare", "unreadable"), ("repair", "side1"), ("compare", "unreadable"), ("repair", "side1"),
    ]  # fmt: skip


async def test_a_reply_that_stays_unreadable_abstains() -> None:
    judge = arbiter("first", "gamma", lambda _: "B")
    ruling = await rule(bench(judge), dispute(TWO))
    assert (ruling.decision, len(prompts(judge))) == ("abstain", 4)


async def test_a_repair_beyond_the_budget_abstains() -> None:
    ruling = await rule(bench(arbiter("first", "gamma", lambda _: "B")), dispute(TWO), calls=2)
    assert ruling.decision == "abstain"
    assert {call.failure for call in ruling.calls if call.purpose == "repair"} == {Failure.BUDGET}


async def test_three_candidates_are_a_round_robin() -> None:
    judge = arbiter("first", "delta", picks("Lyon"))
    ruling = await rule(bench(judge), dispute({"alpha": "A", "beta": "B", "gamma": "C"}))
    assert (ruling.decision, ruling.label, len(ruling.calls)) == ("decided", "B", 6)


async def test_more_than_four_candidates_or_fewer_than_two_go_to_a_person() -> None:
    the_bench = bench(arbiter("first", "zeta", picks("Lyon")))
    assert await rule(the_bench, dispute(dict(zip("vwxyz", "ABCDE", strict=True)))) is None
    assert await rule(the_bench, dispute({"alpha": "A"})) is None


async def test_a_redelivery_repeats_no_call_and_rules_the_same() -> None:
    log = MemoryLog()
    judge = arbiter("first", "gamma", picks("Lyon"))
    ruling = await rule(bench(judge), dispute(TWO), log=log)
    assert set(log.answers) == {"arbiter:first:compare:side0-side1", "arbiter:first:compare:side1-side0"}
    again = arbiter("first", "gamma", fails_with(ModelError(Failure.UNAVAILABLE, "must not be asked")))
    assert await rule(bench(again), dispute(TWO), log=log, seconds=-1.0, calls=2) == ruling


async def test_a_half_recorded_dispute_pays_only_for_the_rest() -> None:
    log = MemoryLog()
    whole = await rule(bench(arbiter("first", "gamma", picks("Lyon"))), dispute(TWO), log=log)
    half = MemoryLog({"arbiter:first:compare:side0-side1": log.answers["arbiter:first:compare:side0-side1"]})
    judge = arbiter("first", "gamma", picks("Lyon"))
    assert await rule(bench(judge), dispute(TWO), log=half) == whole
    assert len(prompts(judge)) == 1


async def test_a_store_that_does_not_answer_is_told_as_it_is() -> None:
    class Down(MemoryLog):
        async def record(self, key: str, answer: Answer, *, deadline: float = 0.0) -> None:
            raise StoreUnavailable("down")

    with pytest.raises(StoreUnavailable):
        await rule(bench(arbiter("first", "gamma", picks("Lyon"))), dispute(TWO), log=Down())


async def test_candidates_that_look_alike_once_sanitised_are_not_put_to_a_judge() -> None:
    judge = arbiter("first", "gamma", picks("yes"))
    ruling = await rule(bench(judge), dispute({"alpha": "**yes**", "beta": "yes"}, spec=TextSpec()))
    assert (ruling.decision, ruling.reasons, prompts(judge)) == ("abstain", ("candidates_look_alike",), [])


async def test_numbers_and_false_are_labels_like_any_other() -> None:
    ruling: Arbitration = await rule(
        bench(arbiter("first", "gamma", picks("0"))), dispute({"alpha": 0, "beta": 7.5}, spec=NumberSpec(unit="mg"))
    )
    assert (ruling.decision, ruling.label) == ("decided", 0)
