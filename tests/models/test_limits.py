"""Limits: how many at a time, how many per minute, and what waiting costs (nothing)."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest

from consensus.errors import ModelError
from consensus.models import limits
from consensus.models.limits import InFlight, PerMinute
from consensus.types import Failure
from tests.eventually import eventually
from tests.models.conftest import budget, by, prompt
from tests.models.fakes import Gate, Says, answer, failure


def _ask(model: InFlight | PerMinute, seconds: float = 20.0) -> asyncio.Task[object]:
    return asyncio.ensure_future(model.ask(prompt(), deadline=by(seconds), budget=budget()))


async def test_no_more_than_the_limit_run_and_the_others_follow_in_order() -> None:
    gate = Gate()
    model = InFlight(gate, 2)
    tasks = [_ask(model) for _ in range(5)]
    for entered in (2, 3, 4, 5, 5):
        await eventually(partial(gate.has_entered, entered))
        gate.release()
    assert all([await task for task in tasks])
    assert (gate.most, gate.inside) == (2, 0)


async def test_a_wait_for_a_slot_ends_at_the_deadline_without_a_call() -> None:
    gate = Gate()
    model = InFlight(gate, 1)
    first = _ask(model)
    await eventually(lambda: gate.inside)
    with pytest.raises(ModelError) as caught:
        await _ask(model, 0.05)
    assert (caught.value.failure, caught.value.attempts, caught.value.retryable) == (Failure.RATE_LIMITED, 0, False)
    gate.release()
    await first
    after = _ask(model)
    await eventually(lambda: gate.inside)
    gate.release()
    assert await after


async def test_a_cancelled_wait_gives_its_slot_to_the_next() -> None:
    gate = Gate()
    model = InFlight(gate, 1)
    first, second, third = _ask(model), _ask(model), _ask(model)
    await eventually(lambda: gate.inside)
    second.cancel()
    gate.release()
    await first
    await eventually(lambda: gate.entered == 2)
    gate.release()
    assert await third
    with pytest.raises(asyncio.CancelledError):
        await second


async def test_a_slot_handed_over_at_the_moment_of_cancelling_is_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    gate = Gate()
    model = InFlight(gate, 1)
    first, second, third = _ask(model), _ask(model), _ask(model)
    await eventually(lambda: gate.inside)
    hand_over = model._wake

    def hand_over_and_cancel() -> None:
        monkeypatch.undo()
        hand_over()
        second.cancel()  # it holds the slot now, and has not run since

    monkeypatch.setattr(model, "_wake", hand_over_and_cancel)
    gate.release()
    await first
    await eventually(lambda: gate.inside)
    gate.release()
    assert await third
    assert (second.cancelled(), gate.entered) == (True, 2)


async def test_an_overloaded_provider_halves_the_limit_once_and_success_raises_it() -> None:
    model = InFlight(Says(*[lambda: failure(Failure.RATE_LIMITED)] * 3, answer()), 8)
    for _ in range(3):
        with pytest.raises(ModelError):
            await _ask(model)
    assert model.limit == 4  # the calls that were out together count as one sign
    for _ in range(5):
        await _ask(model)
    assert model.limit == 5
    for _ in range(100):
        await _ask(model)
    assert model.limit == 8


async def test_the_limit_never_falls_below_one() -> None:
    model = InFlight(Says(lambda: failure(Failure.UNAVAILABLE)), 8, settle_s=0.0)
    for _ in range(10):
        with pytest.raises(ModelError):
            await _ask(model)
    assert model.limit == 1


async def test_a_failure_about_the_question_does_not_slow_us_down() -> None:
    model = InFlight(Says(lambda: failure(Failure.CONTENT_FILTER)), 8)
    with pytest.raises(ModelError):
        await _ask(model)
    assert model.limit == 8


async def test_the_queue_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MOST_WAITING", 1)
    gate = Gate()
    model = InFlight(gate, 1)
    first, second = _ask(model), _ask(model)
    await eventually(lambda: gate.inside)
    with pytest.raises(ModelError, match="1 calls are waiting already"):
        await _ask(model)
    gate.release()
    await first
    await eventually(lambda: gate.entered == 2)
    gate.release()
    await second


async def test_calls_per_minute_are_kept_and_a_late_one_was_never_made() -> None:
    inner = Says(answer())
    model = PerMinute(inner, rpm=3, tpm=None, max_tokens=10)
    for _ in range(3):
        await _ask(model)
    allowance = budget()
    with pytest.raises(ModelError) as caught:
        await model.ask(prompt(), deadline=by(0.05), budget=allowance)
    assert (caught.value.failure, caught.value.attempts) == (Failure.RATE_LIMITED, 0)
    assert (inner.calls, allowance.calls) == (3, 0)


async def test_tokens_per_minute_count_the_prompt_and_what_may_be_said() -> None:
    inner = Says(answer())
    model = PerMinute(inner, rpm=None, tpm=100, max_tokens=30)
    for _ in range(2):
        await model.ask(prompt("x" * 60), deadline=by(20), budget=budget())  # 20 + 30 tokens each
    with pytest.raises(ModelError):
        await model.ask(prompt("x" * 60), deadline=by(0.05), budget=budget())
    assert inner.calls == 2


async def test_a_prompt_above_the_minute_s_tokens_is_asked_when_the_bucket_is_empty() -> None:
    inner = Says(answer())
    model = PerMinute(inner, rpm=None, tpm=10, max_tokens=1_000)
    await model.ask(prompt("x" * 60), deadline=by(5), budget=budget())
    assert inner.calls == 1
