"""From policies to models that can be asked: one stack of wrappers per model, and one HTTP client under all of them.

From the outside in: `Retrying` > `PerMinute` > `InFlight` > `Breaker` > `Metered` > `LiteLLM`. The innermost makes the
call and takes it from the budget; so each attempt is limited, metered and paid for on its own, and a call that some
wrapper does not let through costs nothing.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from consensus.errors import ConfigError
from consensus.models.breaker import Breaker
from consensus.models.limits import InFlight, PerMinute
from consensus.models.member import Member
from consensus.models.metered import Metered, Observe
from consensus.models.protocol import Model
from consensus.models.retrying import RETRIES, Retries, Retrying
from consensus.policy import ModelPolicy

if TYPE_CHECKING:
    from consensus.models.litellm import Connections


def build(
    policies: Mapping[str, ModelPolicy],
    env: Mapping[str, str] = os.environ,
    *,
    observe: Observe | None = None,
    retries: Retries = RETRIES,
) -> dict[str, Member]:
    """Members by name. Reads the keys that the policies refer to from ``env``; give back with `close`.

    Raises ConfigError (``models.<name>.api_key_env``), for all models at once, where such a variable is not set.
    """
    keys = _keys(policies, env)
    # Costs seconds and 170 MB: only a process that asks models pays for it.
    from consensus.models.litellm import Connections, LiteLLM

    connections = Connections()
    return {
        name: _member(policy, LiteLLM(policy, keys[name], connections), connections, observe, retries)
        for name, policy in policies.items()
    }


def wrap(model: Model, policy: ModelPolicy, *, observe: Observe | None = None, retries: Retries = RETRIES) -> Model:
    """``model``, which makes single attempts, under the limits of ``policy``."""
    if observe is not None:
        model = Metered(model, policy, observe)
    model = InFlight(Breaker(model), policy.max_in_flight)
    if policy.rpm or policy.tpm:
        model = PerMinute(model, rpm=policy.rpm, tpm=policy.tpm, max_tokens=policy.max_tokens)
    return Retrying(model, retries)


def _member(
    policy: ModelPolicy, model: Model, connections: Connections, observe: Observe | None, retries: Retries
) -> Member:
    return Member(policy, wrap(model, policy, observe=observe, retries=retries), connections.aclose)


def _keys(policies: Mapping[str, ModelPolicy], env: Mapping[str, str]) -> dict[str, str | None]:
    keys = {name: env.get(policy.api_key_env) if policy.api_key_env else None for name, policy in policies.items()}
    faults = [
        ConfigError(
            f"models.{name}.api_key_env",
            f"the environment variable {policies[name].api_key_env} is not set; set it to the provider's API key",
        )
        for name, value in keys.items()
        if policies[name].api_key_env and not value
    ]
    if faults:
        first, *rest = faults
        raise ConfigError(first.path, first.message, also=tuple(rest))
    return keys
