"""Construction: keys by reference, all faults at once, limits and metering in place."""

from __future__ import annotations

import asyncio
import subprocess
import sys

import pytest

from consensus.errors import ConfigError, ModelError
from consensus.models import Retries, build, wrap
from consensus.models.metered import Metered
from consensus.policy import ModelPolicy
from consensus.types import Answer, Failure
from tests.eventually import eventually
from tests.models.conftest import NO_WAIT, budget, by, prompt
from tests.models.fakes import POLICY, Gate, Says, answer, failure


def _policy(name: str, env: str | None) -> ModelPolicy:
    return ModelPolicy(name=name, model=f"openai/{name}", family=name, api_key_env=env)


@pytest.mark.parametrize("env", [{}, {"A_KEY": "", "B_KEY": ""}])
def test_missing_keys_are_named_all_at_once(env: dict[str, str]) -> None:
    policies = {"a": _policy("a", "A_KEY"), "b": _policy("b", "B_KEY"), "c": _policy("c", None)}
    with pytest.raises(ConfigError) as caught:
        build(policies, env)
    assert caught.value.path == "models.a.api_key_env"
    assert [error.path for error in caught.value.also] == ["models.b.api_key_env"]
    assert "B_KEY is not set" in str(caught.value)


def test_importing_models_does_not_import_litellm() -> None:
    code = "import sys, consensus.models; sys.exit('litellm' in sys.modules or 'httpx' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0


async def test_every_attempt_is_metered() -> None:
    seen: list[str] = []

    def observe(policy: ModelPolicy, outcome: Answer | ModelError, seconds: float) -> None:
        seen.append(f"{policy.name}:{outcome.failure or 'ok'}:{seconds >= 0}")

    flaky = Says(lambda: failure(Failure.UNAVAILABLE, retryable=True), answer())
    model = wrap(flaky, POLICY, observe=observe, retries=NO_WAIT)
    assert (await model.ask(prompt(), deadline=by(20), budget=budget())).attempts == 2
    assert seen == ["m:unavailable:True", "m:ok:True"]


async def test_the_limits_of_the_policy_hold() -> None:
    gate = Gate()
    policy = POLICY.model_copy(update={"max_in_flight": 1, "rpm": 2})
    model = wrap(Metered(gate, policy, lambda *_: None), policy, retries=Retries(attempts=1))
    first = asyncio.ensure_future(model.ask(prompt(), deadline=by(20), budget=budget()))
    await eventually(lambda: gate.inside)
    with pytest.raises(ModelError, match="no free slot"):
        await model.ask(prompt(), deadline=by(0.05), budget=budget())
    with pytest.raises(ModelError, match="per minute"):
        await model.ask(prompt(), deadline=by(0.05), budget=budget())
    gate.release()
    await first
    assert gate.entered == 1
