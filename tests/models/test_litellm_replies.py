"""What an answer says about itself, and what is sent: over real HTTP and both of litellm's ways."""

from __future__ import annotations

import asyncio
import json
import logging
import os
from typing import Any

import pytest

from consensus.errors import ModelError
from consensus.models import build, close
from consensus.policy import ModelPolicy
from consensus.types import Answer, CostSource, Failure, TokenLogprob
from tests import faulty_provider as fault
from tests.eventually import eventually
from tests.faulty_provider import FaultyProvider
from tests.models.conftest import NO_WAIT, SCHEMA, Ask, budget, by, prompt


async def test_a_reply_becomes_an_answer_with_all_its_sources(
    dialect: str, provider: FaultyProvider, connect: Ask
) -> None:
    provider.serve("m", fault.reply("It is B.", model="served-2024-07"))
    allowance = budget()
    member = connect("m", dialect, price_in=2.0, price_out=10.0)
    answer = await member.model.ask(prompt(), deadline=by(20), budget=allowance)
    assert (answer.model, answer.family, answer.model_version) == ("m", "f", "served-2024-07")
    assert (answer.text, answer.finish_reason, answer.structured, answer.failure) == ("It is B.", "stop", False, None)
    assert (answer.tokens_in, answer.tokens_out, answer.attempts, answer.prompt_hash) == (3, 2, 1, "h")
    assert answer.cost == allowance.cost == pytest.approx((3 * 2.0 + 2 * 10.0) / 1e6)
    assert answer.cost_source is CostSource.CONFIGURED
    assert answer.logprobs is None


FINISHES = [
    ("stop", "stop"),
    ("length", "length"),
    ("max_tokens", "length"),
    ("content_filter", "content_filter"),
    ("gremlins", "gremlins"),  # litellm itself would say stop
    (None, None),
]


@pytest.mark.parametrize(("stated", "read"), FINISHES)
async def test_finish_reasons_are_ours_where_known_and_never_invented(
    stated: str | None, read: str | None, dialect: str, provider: FaultyProvider, connect: Ask
) -> None:
    provider.serve("m", fault.reply("half", finish=stated))
    answer = await connect("m", dialect).model.ask(prompt(), deadline=by(20), budget=budget())
    assert (answer.text, answer.finish_reason) == ("half", read)


@pytest.mark.parametrize("finish", ["length", "content_filter"])
async def test_nothing_said_is_still_an_answer_when_it_was_cut_off_or_filtered(
    finish: str, provider: FaultyProvider, connect: Ask
) -> None:
    provider.serve("m", fault.reply(None, finish=finish))
    answer = await connect("m").model.ask(prompt(), deadline=by(20), budget=budget())
    assert (answer.text, answer.finish_reason) == ("", finish)


async def test_a_refusal_apart_from_the_reply_is_kept(dialect: str, provider: FaultyProvider, connect: Ask) -> None:
    provider.serve("m", fault.reply(None, message={"refusal": "I must not."}))
    answer = await connect("m", dialect).model.ask(prompt(), deadline=by(20), budget=budget())
    assert (answer.text, answer.finish_reason) == ("I must not.", "refusal")


async def test_cost_stated_by_the_provider_is_taken_only_without_a_price(
    provider: FaultyProvider, connect: Ask
) -> None:
    usage = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5, "cost": 0.25}
    provider.serve("m", fault.reply(usage=usage))
    answer = await connect("m").model.ask(prompt(), deadline=by(20), budget=budget())
    assert (answer.cost, answer.cost_source) == (0.25, CostSource.PROVIDER)
    answer = await connect("m", price_in=1e6).model.ask(prompt(), deadline=by(20), budget=budget())
    assert (answer.cost, answer.cost_source) == (3.0, CostSource.CONFIGURED)


@pytest.mark.parametrize("stated", [None, -1, "a lot", float("nan"), float("inf"), True])
async def test_a_cost_that_is_no_amount_is_none(stated: Any, provider: FaultyProvider, connect: Ask) -> None:
    usage = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5, "cost": stated}
    provider.serve("m", fault.reply(usage=usage))
    answer = await connect("m").model.ask(prompt(), deadline=by(20), budget=budget())
    assert (answer.cost, answer.cost_source) == (0.0, CostSource.NONE)


async def test_no_usage_is_no_tokens_and_no_known_cost(dialect: str, provider: FaultyProvider, connect: Ask) -> None:
    completion = fault.completion()
    del completion["usage"]
    provider.serve("m", fault.body(completion))
    answer = await connect("m", dialect, price_in=1.0).model.ask(prompt(), deadline=by(20), budget=budget())
    assert (answer.tokens_in, answer.tokens_out, answer.cost_source) == (0, 0, CostSource.NONE)


async def test_text_that_no_database_takes_is_mended(dialect: str, provider: FaultyProvider, connect: Ask) -> None:
    provider.serve("m", fault.reply("a\ud800b\x00c", model="v\x1b[31m" + "9" * 500))
    answer = await connect("m", dialect).model.ask(prompt(), deadline=by(20), budget=budget())
    assert answer.text == "a?b\ufffdc"
    assert answer.model_version is not None
    assert answer.model_version.isprintable()
    assert len(answer.model_version) == 128


def _with_logprobs(logprob: float, top: float = -2.0) -> fault.Step:
    token = {"token": "B", "logprob": logprob, "bytes": None, "top_logprobs": [{"token": "A", "logprob": top}]}
    return fault.reply("B", choice={"logprobs": {"content": [token]}})


async def test_log_probabilities_are_asked_for_and_read(dialect: str, provider: FaultyProvider, connect: Ask) -> None:
    provider.serve("m", _with_logprobs(-0.25))
    question = prompt(options=tuple("ABCDEFGH"))
    answer = await connect("m", dialect, logprobs=True).model.ask(question, deadline=by(20), budget=budget())
    assert answer.logprobs == (TokenLogprob(token="B", logprob=-0.25, top=(("A", -2.0),)),)
    assert (provider.calls[0].body["logprobs"], provider.calls[0].body["top_logprobs"]) == (True, 8)


@pytest.mark.parametrize("impossible", [0.5, float("nan"), float("-inf")])
async def test_an_impossible_log_probability_discards_them_all(
    impossible: float, provider: FaultyProvider, connect: Ask
) -> None:
    provider.serve("m", _with_logprobs(impossible))
    answer = await connect("m", logprobs=True).model.ask(prompt(), deadline=by(20), budget=budget())
    assert (answer.text, answer.logprobs) == ("B", None)


async def test_a_compressed_reply_is_read_although_it_was_not_asked_for(
    dialect: str, provider: FaultyProvider, connect: Ask
) -> None:
    provider.serve("m", fault.compressed(fault.completion("B")))
    answer = await connect("m", dialect).model.ask(prompt(), deadline=by(20), budget=budget())
    assert answer.text == "B"
    assert provider.calls[0].headers["accept-encoding"] == "identity"


# ---------------------------------------------------------------- what is sent


async def test_only_the_configuration_and_the_words_are_sent(
    dialect: str, provider: FaultyProvider, connect: Ask
) -> None:
    headers = {"traceparent": "00-1", "x-request-id": "r", "authorization": "Bearer stolen", "tracestate": "a\r\nb: c"}
    member = connect("m", dialect, api_key_env="THE_KEY", max_tokens=77)
    await member.model.ask(prompt("Why?", headers=headers), deadline=by(20), budget=budget())
    (call,) = provider.calls
    assert call.body == {"model": "m", "messages": [{"role": "user", "content": "Why?"}], "max_tokens": 77}
    assert call.headers["authorization"] == "Bearer sk-very-secret-0123"
    assert (call.headers["traceparent"], call.headers["x-request-id"]) == ("00-1", "r")
    assert "tracestate" not in call.headers


async def test_a_key_in_the_environment_that_nobody_configured_is_not_sent(
    dialect: str, provider: FaultyProvider, connect: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("OPENAI_API_KEY", "HOSTED_VLLM_API_KEY", "LITELLM_API_KEY"):
        monkeypatch.setenv(name, "sk-ambient")
    await connect("m", dialect).model.ask(prompt(), deadline=by(20), budget=budget())
    assert "sk-ambient" not in json.dumps(provider.calls[0].headers)


async def test_an_error_quotes_no_key_and_no_more_than_a_line(
    dialect: str, provider: FaultyProvider, connect: Ask, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    message = "bad key sk-very-secret-0123\nBearer abcdefgh at https://user:pw@host/v1 " + "x" * 5_000
    provider.serve("m", fault.error(401, message))
    with pytest.raises(ModelError) as caught:
        await connect("m", dialect, api_key_env="THE_KEY").model.ask(prompt(), deadline=by(20), budget=budget())
    said = str(caught.value)
    assert caught.value.failure is Failure.UNAUTHORIZED
    assert said.startswith("unauthorized HTTP 401: bad key [redacted]")
    assert (len(said) <= 200, "\n" in said, "abcdefgh" in said, "user:pw" in said) == (True, False, False, False)
    assert (caught.value.__cause__, caught.value.__suppress_context__) == (None, True)
    ours = [record.getMessage() for record in caplog.records if not record.name.startswith("aiohttp")]
    assert all("sk-very-secret" not in line for line in ours)


async def test_no_log_line_holds_what_was_asked_or_said(
    dialect: str, provider: FaultyProvider, connect: Ask, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    for name in ("LiteLLM", "httpx", "openai"):
        assert not logging.getLogger(name).isEnabledFor(logging.INFO) or name == "openai"
    provider.serve("m", fault.reply("the private reply", finish="gremlins"))
    await connect("m", dialect).model.ask(prompt("the private question"), deadline=by(20), budget=budget())
    assert all("the private" not in record.getMessage() for record in caplog.records)


# ---------------------------------------------------------------- structured output

ENFORCED = {
    "type": "json_schema",
    "json_schema": {"name": "choice_1", "schema": SCHEMA, "strict": True},
}


async def test_a_schema_is_enforced_where_the_policy_says_so(
    dialect: str, provider: FaultyProvider, connect: Ask
) -> None:
    member = connect("m", dialect, structured="on")
    answer = await member.model.ask(prompt(schema=SCHEMA), deadline=by(20), budget=budget())
    assert answer.structured
    assert provider.calls[0].body["response_format"] == ENFORCED
    answer = await member.model.ask(prompt(), deadline=by(20), budget=budget())
    assert not answer.structured
    assert "response_format" not in provider.calls[1].body


async def test_auto_asks_a_model_that_litellm_knows_to_take_schemas(provider: FaultyProvider, connect: Ask) -> None:
    for name, taken in (("gpt-4o-mini", True), ("unheard-of", False)):
        answer = await connect(name, "openai").model.ask(prompt(schema=SCHEMA), deadline=by(20), budget=budget())
        assert answer.structured is taken
        assert ("response_format" in provider.calls_of(name)[0].body) is taken


async def test_auto_falls_back_once_and_remembers(provider: FaultyProvider, connect: Ask) -> None:
    name = "gpt-4o-mini"
    provider.serve(name, fault.error(400, "response_format is not supported"), fault.reply("B"))
    member, allowance = connect(name, "openai"), budget()
    answer = await member.model.ask(prompt(schema=SCHEMA), deadline=by(20), budget=allowance)
    assert (answer.text, answer.structured, answer.attempts, allowance.calls) == ("B", False, 2, 2)
    answer = await member.model.ask(prompt(schema=SCHEMA), deadline=by(20), budget=allowance)
    assert (answer.attempts, allowance.calls) == (1, 3)
    assert ["response_format" in call.body for call in provider.calls] == [True, False, False]


async def test_a_bad_request_for_another_reason_is_reported_and_nothing_remembered(
    provider: FaultyProvider, connect: Ask
) -> None:
    name = "gpt-4o-mini"
    provider.serve(name, fault.error(400, "no"))
    member, allowance = connect(name, "openai", NO_WAIT), budget()
    with pytest.raises(ModelError) as caught:
        await member.model.ask(prompt(schema=SCHEMA), deadline=by(20), budget=allowance)
    assert (caught.value.failure, caught.value.attempts, allowance.calls) == (Failure.BAD_REQUEST, 2, 2)
    provider.serve(name, fault.reply("B"))
    answer = await member.model.ask(prompt(schema=SCHEMA), deadline=by(20), budget=allowance)
    assert answer.structured


async def test_on_does_not_fall_back(provider: FaultyProvider, connect: Ask) -> None:
    provider.serve("m", fault.error(400, "response_format is not supported"))
    with pytest.raises(ModelError) as caught:
        await connect("m", structured="on").model.ask(prompt(schema=SCHEMA), deadline=by(20), budget=budget())
    assert (caught.value.failure, caught.value.attempts, len(provider.calls)) == (Failure.BAD_REQUEST, 1, 1)


# ---------------------------------------------------------------- life cycle


async def test_members_of_one_build_share_connections_and_close_them_once(provider: FaultyProvider) -> None:
    policies = {
        name: ModelPolicy(name=name, model=f"hosted_vllm/{name}", family=name, api_base=provider.url)
        for name in ("a", "b")
    }
    members = build(policies, {})
    for member in members.values():
        await member.model.ask(prompt(), deadline=by(20), budget=budget())
    assert len({member.release for member in members.values()}) == 1
    await close(members)
    await close(members)


async def test_calls_leave_no_tasks_and_no_open_files_behind(dialect: str, provider: FaultyProvider) -> None:
    policy = ModelPolicy(name="m", model=f"{dialect}/m", family="f", api_base=provider.url)
    tasks, files = len(asyncio.all_tasks()), len(os.listdir("/proc/self/fd"))
    members = build({"m": policy}, {})
    provider.serve("m", fault.reply("B"), fault.error(400), fault.reset(), fault.reply("B"))
    asked = (members["m"].model.ask(prompt(), deadline=by(20), budget=budget()) for _ in range(40))
    found = await asyncio.gather(*asked, return_exceptions=True)
    await close(members)
    assert sum(isinstance(one, Answer) for one in found) >= 30
    assert len(provider.calls_of("m")) >= 40
    await eventually(lambda: len(asyncio.all_tasks()) <= tasks)
    await eventually(lambda: len(os.listdir("/proc/self/fd")) <= files)
