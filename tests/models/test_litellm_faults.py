"""Every fault a provider can show, over real HTTP and both of litellm's ways: the right failure, within the budget."""

from __future__ import annotations

import asyncio

import pytest

from consensus.errors import ModelError
from consensus.types import Failure
from tests import faulty_provider as fault
from tests.eventually import eventually
from tests.faulty_provider import FaultyProvider, Step
from tests.models.conftest import NO_WAIT, Ask, budget, by, prompt

F = Failure
NOT_A_LIST = {**fault.completion(), "choices": "none"}

FAULTS: dict[str, tuple[Step, Failure, bool]] = {
    "reset": (fault.reset(), F.CONNECTION, True),
    "truncated body": (fault.truncated(), F.CONNECTION, True),
    "cut off JSON": (fault.raw(b'{"id": "c-1", "choi'), F.MALFORMED, True),
    "no JSON": (fault.raw(b"<html>busy</html>"), F.MALFORMED, True),
    "no body": (fault.raw(b""), F.MALFORMED, True),
    "JSON null": (fault.raw(b"null"), F.MALFORMED, True),
    "JSON array": (fault.raw(b"[1]"), F.MALFORMED, True),
    "deep JSON": (fault.raw(b"[" * 3_000), F.MALFORMED, True),
    "another schema": (fault.body({"hello": "world"}), F.MALFORMED, True),
    "choices no list": (fault.body(NOT_A_LIST), F.MALFORMED, True),
    "content no text": (fault.reply({"a": 1}), F.MALFORMED, True),
    "invalid UTF-8": (fault.raw(b'{"model": "\xff\xfe", "choices": []}'), F.MALFORMED, True),
    "10 MB": (fault.body({**fault.completion(), "pad": "x" * 10_000_000}), F.MALFORMED, False),
    "many choices": (fault.body({**fault.completion(), "choices": [{}] * 17}), F.MALFORMED, False),
    "many values": (fault.body({**fault.completion(), "pad": [0] * 10_000}), F.MALFORMED, False),
    "many keys": (fault.body({**fault.completion(), **{f"k{i}": 0 for i in range(20_000)}}), F.MALFORMED, False),
    "zip bomb": (fault.bomb(64), F.MALFORMED, False),
    "broken gzip": (fault.raw(b"\x1f\x8b nonsense", headers={"content-encoding": "gzip"}), F.MALFORMED, False),
    "brotli unasked": (fault.raw(b"{}", headers={"content-encoding": "br"}), F.MALFORMED, False),
    "no choices": (fault.body({**fault.completion(), "choices": []}), F.EMPTY, True),
    "no content": (fault.reply(None), F.EMPTY, True),
    "empty content": (fault.reply(""), F.EMPTY, True),
    "broken off": (fault.reply("half an ans", finish="error"), F.UNAVAILABLE, True),
    "429": (fault.error(429), F.RATE_LIMITED, True),
    "429 account empty": (fault.error(429, code="insufficient_quota"), F.RATE_LIMITED, False),
    "500": (fault.error(500), F.UNAVAILABLE, True),
    "503": (fault.error(503), F.UNAVAILABLE, True),
    "529": (fault.error(529), F.UNAVAILABLE, True),
    "502 HTML": (fault.raw(b"<html>bad gateway</html>", status=502), F.UNAVAILABLE, True),
    "200 with an error inside": (fault.body({"error": {"code": 429, "message": "slow"}}), F.RATE_LIMITED, True),
    "401": (fault.error(401), F.UNAUTHORIZED, False),
    "403": (fault.error(403), F.UNAUTHORIZED, False),
    "400": (fault.error(400), F.BAD_REQUEST, False),
    "404 unknown model": (fault.error(404, code="model_not_found"), F.BAD_REQUEST, False),
    "404 not recorded": (fault.error(404, code="not_recorded"), F.NOT_RECORDED, False),
    "redirect": (fault.raw(b"", status=307, headers={"location": "http://127.0.0.1:9/"}), F.BAD_REQUEST, False),
    "context by code": (fault.error(400, code="context_length_exceeded"), F.CONTEXT_LENGTH, False),
    "context by words": (fault.error(400, "the maximum context length is 10"), F.CONTEXT_LENGTH, False),
    "413": (fault.error(413), F.CONTEXT_LENGTH, False),
    "content filter": (fault.error(400, code="content_filter"), F.CONTENT_FILTER, False),
}


@pytest.mark.parametrize("name", FAULTS)
async def test_a_fault_is_the_right_failure_and_takes_one_call(
    name: str, dialect: str, provider: FaultyProvider, connect: Ask
) -> None:
    step, failure, retryable = FAULTS[name]
    provider.serve("m", step)
    allowance = budget()
    with pytest.raises(ModelError) as caught:
        await connect("m", dialect).model.ask(prompt(), deadline=by(20), budget=allowance)
    assert (caught.value.failure, caught.value.retryable) == (failure, retryable), str(caught.value)
    assert caught.value.attempts == allowance.calls == len(provider.calls) == 1
    assert len(str(caught.value)) <= 200


@pytest.mark.parametrize("name", ["429", "500", "reset", "no choices", "cut off JSON"])
async def test_a_fault_that_passes_is_retried_and_every_attempt_counted(
    name: str, dialect: str, provider: FaultyProvider, connect: Ask
) -> None:
    provider.serve("m", FAULTS[name][0], FAULTS[name][0], fault.reply("B"))
    allowance = budget()
    answer = await connect("m", dialect, NO_WAIT).model.ask(prompt(), deadline=by(20), budget=allowance)
    assert (answer.text, answer.attempts) == ("B", 3)
    assert allowance.calls == len(provider.calls) == 3


async def test_a_storm_of_429_ends_after_the_bounded_attempts(provider: FaultyProvider, connect: Ask) -> None:
    provider.serve("m", fault.error(429))
    allowance = budget()
    with pytest.raises(ModelError) as caught:
        await connect("m", retries=NO_WAIT).model.ask(prompt(), deadline=by(20), budget=allowance)
    assert caught.value.failure is F.RATE_LIMITED
    assert caught.value.attempts == allowance.calls == len(provider.calls) == 3


async def test_a_retry_after_beyond_the_deadline_fails_at_once(provider: FaultyProvider, connect: Ask) -> None:
    provider.serve("m", fault.error(429, headers={"retry-after": "30"}))
    started = asyncio.get_running_loop().time()
    with pytest.raises(ModelError) as caught:
        await connect("m", retries=NO_WAIT).model.ask(prompt(), deadline=by(10), budget=budget())
    assert asyncio.get_running_loop().time() - started < 5
    assert (caught.value.retry_after_s, caught.value.attempts) == (30.0, 1)


async def test_a_short_retry_after_is_waited_for(provider: FaultyProvider, connect: Ask) -> None:
    provider.serve("m", fault.error(503, headers={"retry-after-ms": "200"}), fault.reply("B"))
    started = asyncio.get_running_loop().time()
    answer = await connect("m", retries=NO_WAIT).model.ask(prompt(), deadline=by(10), budget=budget())
    assert answer.attempts == 2
    assert asyncio.get_running_loop().time() - started >= 0.2


@pytest.mark.parametrize("step", [fault.hang(), fault.drip(5.0)], ids=["never answers", "one byte per 5 s"])
async def test_no_call_outlives_the_deadline(step: Step, dialect: str, provider: FaultyProvider, connect: Ask) -> None:
    provider.serve("m", step)
    member = connect("m", dialect, NO_WAIT)
    allowance, deadline = budget(), by(1.0)
    with pytest.raises(ModelError) as caught:
        await member.model.ask(prompt(), deadline=deadline, budget=allowance)
    assert asyncio.get_running_loop().time() - deadline < 0.25
    assert (caught.value.failure, caught.value.attempts, allowance.calls) == (F.TIMEOUT, 1, 1)


async def test_the_model_s_own_time_out_leaves_time_for_another_attempt(
    dialect: str, provider: FaultyProvider, connect: Ask
) -> None:
    provider.serve("m", fault.hang(), fault.reply("B"))
    answer = await connect("m", dialect, NO_WAIT, timeout_s=0.5).model.ask(prompt(), deadline=by(20), budget=budget())
    assert (answer.text, answer.attempts) == ("B", 2)


async def test_past_the_deadline_no_call_is_made_and_none_is_paid(provider: FaultyProvider, connect: Ask) -> None:
    allowance = budget()
    with pytest.raises(ModelError) as caught:
        await connect("m").model.ask(prompt(), deadline=by(-1), budget=allowance)
    assert (caught.value.failure, caught.value.attempts) == (F.TIMEOUT, 0)
    assert allowance.calls == len(provider.calls) == 0


@pytest.mark.parametrize(
    "address", ["http://127.0.0.1:1/v1", "http://does-not-exist.invalid/v1"], ids=["refused", "no such name"]
)
async def test_no_connection_is_a_failure_of_its_own(address: str, dialect: str, connect: Ask) -> None:
    allowance = budget()
    with pytest.raises(ModelError) as caught:
        await connect("m", dialect, NO_WAIT, api_base=address).model.ask(prompt(), deadline=by(20), budget=allowance)
    assert caught.value.failure is F.CONNECTION
    assert caught.value.attempts == allowance.calls == 3


async def test_a_spent_budget_stops_the_retries_and_keeps_their_cause(provider: FaultyProvider, connect: Ask) -> None:
    provider.serve("m", fault.error(500))
    with pytest.raises(ModelError) as caught:
        await connect("m", retries=NO_WAIT).model.ask(prompt(), deadline=by(20), budget=budget(calls=2))
    assert (caught.value.failure, caught.value.attempts, len(provider.calls)) == (F.UNAVAILABLE, 2, 2)


async def test_a_budget_spent_before_makes_no_call(provider: FaultyProvider, connect: Ask) -> None:
    allowance = budget(money=1.0)
    allowance.add_cost(1.0)
    with pytest.raises(ModelError) as caught:
        await connect("m", retries=NO_WAIT).model.ask(prompt(), deadline=by(20), budget=allowance)
    assert (caught.value.failure, caught.value.attempts, len(provider.calls)) == (F.BUDGET, 0, 0)


async def test_a_paid_reply_that_cannot_be_used_still_costs(provider: FaultyProvider, connect: Ask) -> None:
    provider.serve("m", fault.reply(None), fault.reply("B"))
    allowance = budget()
    member = connect("m", retries=NO_WAIT, price_in=1_000_000, price_out=1_000_000)
    answer = await member.model.ask(prompt(), deadline=by(20), budget=allowance)
    assert (answer.tokens_in, answer.tokens_out, answer.cost, allowance.cost) == (6, 4, 10.0, 10.0)


async def test_cancelling_a_call_cancels_it(provider: FaultyProvider, connect: Ask) -> None:
    provider.serve("m", fault.hang())
    task = asyncio.create_task(connect("m").model.ask(prompt(), deadline=by(60), budget=budget()))
    await eventually(lambda: provider.calls)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
