"""Retries: which, how often, how long apart, and what they are seen to cost."""

from __future__ import annotations

import asyncio

import pytest

from consensus.errors import ModelError
from consensus.models.retrying import Retries, Retrying
from consensus.types import Failure
from tests.models.conftest import NO_WAIT, budget, by, prompt
from tests.models.fakes import Says, answer, failure


@pytest.mark.parametrize(
    ("failed", "asked", "uniform", "wait"),
    [
        (1, None, 1.0, 0.5),
        (2, None, 1.0, 1.0),
        (3, None, 0.5, 1.0),
        (9, None, 1.0, 8.0),  # never more than most_s
        (1, None, 0.0, 0.0),  # full jitter: from 0
        (1, 7.0, 0.0, 7.0),  # never less than the provider asked for
        (9, 7.0, 1.0, 8.0),  # and not all of us at the same moment
    ],
)
def test_waits_grow_are_jittered_and_honour_the_provider(
    failed: int, asked: float | None, uniform: float, wait: float
) -> None:
    assert Retries(attempts=9, base_s=0.5, most_s=8.0).wait_s(failed, asked, lambda: uniform) == pytest.approx(wait)


async def test_tokens_cost_and_attempts_of_failures_are_part_of_the_answer() -> None:
    paid = lambda: failure(Failure.EMPTY, retryable=True, tokens_in=5, tokens_out=1, cost=0.5)  # noqa: E731
    model = Retrying(Says(paid, paid, answer(tokens_in=7, cost=0.25)), NO_WAIT)
    got = await model.ask(prompt(), deadline=by(9), budget=budget())
    assert (got.attempts, got.tokens_in, got.tokens_out, got.cost) == (3, 17, 2, 1.25)


async def test_the_last_error_carries_the_sum_of_all() -> None:
    paid = lambda: failure(Failure.EMPTY, retryable=True, tokens_in=5, cost=0.5)  # noqa: E731
    with pytest.raises(ModelError) as caught:
        await Retrying(Says(paid), NO_WAIT).ask(prompt(), deadline=by(9), budget=budget())
    assert (caught.value.attempts, caught.value.tokens_in, caught.value.cost) == (3, 15, 1.5)


async def test_what_cannot_pass_is_not_retried() -> None:
    model = Says(lambda: failure(Failure.UNAUTHORIZED))
    with pytest.raises(ModelError):
        await Retrying(model, NO_WAIT).ask(prompt(), deadline=by(9), budget=budget())
    assert model.calls == 1


async def test_a_wait_that_ends_after_the_deadline_is_not_begun() -> None:
    model = Says(lambda: failure(retryable=True))
    retries = Retries(attempts=3, base_s=10.0, most_s=10.0)
    started = asyncio.get_running_loop().time()
    with pytest.raises(ModelError):
        await Retrying(model, retries, lambda: 1.0).ask(prompt(), deadline=by(5), budget=budget())
    assert model.calls == 1
    assert asyncio.get_running_loop().time() - started < 2


async def test_a_budget_spent_by_others_leaves_our_own_cause() -> None:
    allowance = budget(calls=1)
    with pytest.raises(ModelError) as caught:
        await Retrying(Says(lambda: failure(retryable=True)), NO_WAIT).ask(prompt(), deadline=by(9), budget=allowance)
    assert (caught.value.failure, caught.value.attempts) == (Failure.UNAVAILABLE, 1)


async def test_a_budget_spent_before_the_first_call_is_the_cause() -> None:
    allowance = budget(calls=1)
    allowance.take_call()
    with pytest.raises(ModelError) as caught:
        await Retrying(Says(answer()), NO_WAIT).ask(prompt(), deadline=by(9), budget=allowance)
    assert (caught.value.failure, caught.value.attempts) == (Failure.BUDGET, 0)
