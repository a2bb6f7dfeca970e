"""The breaker: opens after failures in a row, probes, and is not fooled by callers in a hurry."""

from __future__ import annotations

import asyncio

import pytest

from consensus.errors import ModelError
from consensus.models.breaker import Breaker, Tolerance
from consensus.types import Failure
from tests.models.conftest import budget, prompt
from tests.models.fakes import Gate, Says, answer, failure

TOLERANCE = Tolerance(run=3, rest_s=10.0, most_s=25.0, patience_s=5.0)


class Clock:
    """The running loop's clock, moved by hand."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1_000.0
        monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: self.now)


@pytest.fixture
async def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


async def _fails(model: Breaker, clock: Clock, seconds: float = 60.0) -> ModelError:
    with pytest.raises(ModelError) as caught:
        await model.ask(prompt(), deadline=clock.now + seconds, budget=budget())
    return caught.value


async def test_it_opens_after_a_run_and_then_refuses_without_a_call(clock: Clock) -> None:
    inner = Says(lambda: failure(Failure.UNAVAILABLE, retryable=True))
    model = Breaker(inner, TOLERANCE)
    for _ in range(3):
        assert not model.open
        assert (await _fails(model, clock)).attempts == 1
    error = await _fails(model, clock)
    assert (error.failure, error.attempts, error.retryable) == (Failure.UNAVAILABLE, 0, False)
    assert "10.0 s until the next try" in str(error)
    assert (model.open, inner.calls) == (True, 3)


async def test_a_probe_that_fails_doubles_the_rest_up_to_its_bound(clock: Clock) -> None:
    inner = Says(lambda: failure(Failure.CONNECTION))
    model = Breaker(inner, TOLERANCE)
    for _ in range(3):
        await _fails(model, clock)
    for rest in (10.0, 20.0, 25.0, 25.0):
        clock.now += rest - 0.1
        assert (await _fails(model, clock)).attempts == 0
        clock.now += 0.1
        assert (await _fails(model, clock)).attempts == 1


async def test_a_probe_that_succeeds_closes_it(clock: Clock) -> None:
    inner = Says(*[lambda: failure(Failure.UNAVAILABLE)] * 3, answer())
    model = Breaker(inner, TOLERANCE)
    for _ in range(3):
        await _fails(model, clock)
    clock.now += 10
    assert (await model.ask(prompt(), deadline=clock.now + 60, budget=budget())).text == "ok"
    assert not model.open


async def test_only_one_call_probes(clock: Clock) -> None:
    gate = Gate()
    model = Breaker(gate, Tolerance(run=1, rest_s=10.0))
    first = asyncio.create_task(model.ask(prompt(), deadline=clock.now + 60, budget=budget()))
    await _until(lambda: gate.inside == 1)
    gate.release(failure(Failure.UNAVAILABLE))
    with pytest.raises(ModelError):
        await first
    clock.now += 10
    probe = asyncio.create_task(model.ask(prompt(), deadline=clock.now + 60, budget=budget()))
    await _until(lambda: gate.inside == 1)
    assert (await _fails(model, clock)).attempts == 0
    probe.cancel()
    with pytest.raises(asyncio.CancelledError):
        await probe
    again = asyncio.create_task(model.ask(prompt(), deadline=clock.now + 60, budget=budget()))
    await _until(lambda: gate.inside == 1)
    gate.release()
    assert (await again).text == "ok"


async def test_failures_about_the_question_count_as_signs_of_life(clock: Clock) -> None:
    down, filtered = (lambda: failure(Failure.UNAVAILABLE)), (lambda: failure(Failure.CONTENT_FILTER))
    model = Breaker(Says(down, down, filtered, down, down, filtered), TOLERANCE)
    for _ in range(6):
        await _fails(model, clock)
    assert not model.open


async def test_time_outs_of_callers_in_a_hurry_do_not_count(clock: Clock) -> None:
    model = Breaker(Says(lambda: failure(Failure.TIMEOUT)), TOLERANCE)
    for _ in range(5):
        await _fails(model, clock, seconds=4.9)
    assert not model.open
    for _ in range(3):
        await _fails(model, clock, seconds=5.0)
    assert model.open


async def test_calls_that_were_never_made_do_not_count(clock: Clock) -> None:
    model = Breaker(Says(lambda: failure(Failure.TIMEOUT, attempts=0)), TOLERANCE)
    for _ in range(5):
        await _fails(model, clock)
    assert not model.open


async def test_calls_from_before_it_opened_do_not_lengthen_the_rest(clock: Clock) -> None:
    gate = Gate()
    model = Breaker(gate, Tolerance(run=1, rest_s=10.0))
    tasks = [asyncio.create_task(model.ask(prompt(), deadline=clock.now + 60, budget=budget())) for _ in range(5)]
    await _until(lambda: gate.inside == 5)
    for task in tasks:
        gate.release(failure(Failure.UNAVAILABLE))
        with pytest.raises(ModelError):
            await task
    assert "10.0 s until the next try" in str(await _fails(model, clock))


async def _until(holds: object) -> None:
    """`eventually` needs a clock that runs: with one that stands, a few turns of the loop are enough."""
    for _ in range(50):
        if holds():  # type: ignore[operator]
            return
        await asyncio.sleep(0)
    raise AssertionError("it does not hold")
