"""What every `Model` owes its caller: the same tests on the real thing over HTTP and on the replayed one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from consensus.errors import BudgetSpent, ModelError
from consensus.models import Model, wrap
from consensus.models.replay import Replay, key
from consensus.types import Failure
from tests import faulty_provider as fault
from tests.faulty_provider import FaultyProvider
from tests.models.conftest import NO_WAIT, Ask, budget, by, prompt
from tests.models.fakes import POLICY, answer

Make = Callable[[str | Failure], Model]

ERRORS = {
    Failure.CONTENT_FILTER: fault.error(400, code="content_filter"),
    Failure.NOT_RECORDED: fault.error(404, code="not_recorded"),
    Failure.UNAUTHORIZED: fault.error(401),
}


@pytest.fixture(params=["litellm", "replay"])
def make(request: pytest.FixtureRequest, provider: FaultyProvider, connect: Ask) -> Make:
    """``make(said)``: a model that answers "What is it?" with a text, or fails so."""

    def real(said: str | Failure) -> Model:
        provider.serve("m", ERRORS[said] if isinstance(said, Failure) else fault.reply(said))
        return connect("m", retries=NO_WAIT, price_in=100_000.0).model

    def replayed(said: str | Failure) -> Model:
        recorded = {Failure.NOT_RECORDED: None}.get(said, answer("")) if isinstance(said, Failure) else answer(said)
        if recorded is None:
            return wrap(Replay(POLICY, {}), POLICY, retries=NO_WAIT)
        text, failed = (None, said) if isinstance(said, Failure) else (said, None)
        kept = {"text": text, "failure": failed, "tokens_in": 3, "tokens_out": 2, "cost": 0.3, "finish_reason": "stop"}
        records = {("m", key(prompt())): recorded.model_copy(update=kept)}
        return wrap(Replay(POLICY, records), POLICY, retries=NO_WAIT)

    return real if request.param == "litellm" else replayed


async def test_an_answer_has_text_and_no_failure_and_is_paid_for(make: Make) -> None:
    allowance = budget()
    got = await make("It is B.").ask(prompt(), deadline=by(20), budget=allowance)
    assert (got.text, got.failure, got.finish_reason) == ("It is B.", None, "stop")
    assert (got.model, got.family, got.prompt_hash) == ("m", "f", "h")
    assert (got.attempts, got.tokens_in, got.tokens_out) == (1, 3, 2)
    assert allowance.calls == 1
    assert allowance.cost == pytest.approx(0.3)
    assert got.latency_ms >= 0


@pytest.mark.parametrize("said", list(ERRORS))
async def test_a_failure_is_raised_typed_and_counted(said: Failure, make: Make) -> None:
    allowance = budget()
    with pytest.raises(ModelError) as caught:
        await make(said).ask(prompt(), deadline=by(20), budget=allowance)
    assert (caught.value.failure, caught.value.attempts, allowance.calls) == (said, 1, 1)


async def test_a_passed_deadline_costs_nothing(make: Make) -> None:
    allowance = budget()
    with pytest.raises(ModelError) as caught:
        await make("B").ask(prompt(), deadline=by(-1), budget=allowance)
    assert (caught.value.attempts, allowance.calls, allowance.cost) == (0, 0, 0.0)


async def test_without_budget_there_is_no_call(make: Make) -> None:
    allowance = budget(calls=1)
    model = make("B")
    await model.ask(prompt(), deadline=by(20), budget=allowance)
    with pytest.raises(BudgetSpent):
        await model.ask(prompt(), deadline=by(20), budget=allowance)
    assert allowance.calls == 1


async def test_calls_side_by_side_do_not_mix(make: Make) -> None:
    model = make("B")
    asked = (model.ask(prompt(), deadline=by(20), budget=budget()) for _ in range(20))
    assert {got.text for got in await asyncio.gather(*asked)} == {"B"}
