"""What a configuration allows but its owner should know. Pure: findings, never errors."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

from calibration.snapshot import Snapshot
from consensus.policy import Policy
from consensus.settings.caution import Caution
from consensus.settings.redundancy import redundancy
from consensus.settings.tree import Settings
from consensus.types import Kind, Route

NOTICE = timedelta(days=90)
"""How long before its end a model's retirement is reported."""


def cautions(settings: Settings, today: date, snapshot: Snapshot | None = None) -> list[Caution]:
    """Everything worth a look, in the order of the tree. ``snapshot``: what has been fitted, where something has."""
    thin = redundancy(settings.policy_policies(), settings.panel_policies(), snapshot)
    return [*_models(settings, today), *_unused(settings), *_policies(settings), *thin]


def _models(settings: Settings, today: date) -> Iterator[Caution]:
    seen: dict[str, str] = {}
    for name, model in settings.models.items():
        if model.retires_on is not None and model.retires_on - today <= NOTICE:
            yield Caution(f"models.{name}.retires_on", f"retires on {model.retires_on}: plan its replacement")
        if model.replaces is not None and model.replaces not in settings.models:
            yield Caution(f"models.{name}.replaces", f"there is no model {model.replaces!r} any more")
        known = seen.setdefault(model.model.rpartition("/")[2].lower(), name)
        if known != name:
            yield Caution(
                f"models.{name}.model", f"looks like models.{known} at another address: its vote may count twice"
            )


def _unused(settings: Settings) -> Iterator[Caution]:
    used = {name for panel in settings.panels.values() for name in panel.models}
    used |= {arbiter.model for arbiter in settings.arbiters.values()}
    for name in settings.models:
        if name not in used:
            yield Caution(f"models.{name}", "is in no panel and judges nothing")


def _policies(settings: Settings) -> Iterator[Caution]:
    if settings.policies and "default" not in settings.policies:
        yield Caution("policies", "none is named default: requests that no policy applies to become dead letters")
    for policy in settings.policy_policies().values():
        yield from _policy(policy, settings)


def _policy(policy: Policy, settings: Settings) -> Iterator[Caution]:
    path = f"policies.{policy.name}"
    members = [settings.models[name] for name in settings.panels[policy.panel].models]
    if policy.budget.calls < len(members):
        yield Caution(f"{path}.budget.calls", f"allows fewer calls than the panel has members ({len(members)})")
    if policy.budget.money is not None:
        for member in members:
            if member.price_in is None or member.price_out is None:
                yield Caution(
                    f"models.{member.name}", f"has no prices: {path}.budget.money counts what its provider states"
                )
    if not policy.arbiters and Route.ARBITRATE in policy.on_disagreement.values():
        fate = "go to people" if policy.review else "abstain"
        yield Caution(f"{path}.arbiters", f"is empty: disputes of kind {Kind.REASONING} {fate}")
