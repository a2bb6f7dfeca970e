"""What must hold between the parts of a configuration. Pure: settings (and a date) in, findings out."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import date
from urllib.parse import urlsplit

from consensus.errors import ConfigError
from consensus.policy import ModelPolicy, PanelPolicy, Policy
from consensus.settings.tree import Settings
from consensus.types import Kind, Route, Stakes

VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]{0,127}")
RESERVED_CLASS = "other"


def violations(settings: Settings, today: date) -> list[ConfigError]:
    """Every rule that the configuration breaks; with any of these the service does not start."""
    checks = (_aliases, _references, _urls, _panels, _arbiters, _policies, _overlaps, _sasl)
    return [error for check in checks for error in check(settings)] + list(_retired(settings, today))


def missing_variables(settings: Settings, env: Mapping[str, str]) -> list[ConfigError]:
    """References to environment variables that are not set (or empty) here."""
    return [
        ConfigError(path, f"the environment variable {name} is not set: set it where the service runs")
        for path, name in references(settings)
        if not env.get(name) and VARIABLE.fullmatch(name)
    ]


def references(settings: Settings) -> Iterator[tuple[str, str]]:
    """(path, variable) of every secret that the configuration refers to."""
    for name, model in settings.models.items():
        if model.api_key_env is not None:
            yield f"models.{name}.api_key_env", model.api_key_env
    for path, variable in (
        ("kafka.sasl_password_env", settings.kafka.sasl_password_env),
        ("store.url_env", settings.store.url_env),
        ("telemetry.sentry_dsn_env", settings.telemetry.sentry_dsn_env),
    ):
        if variable is not None:
            yield path, variable


def _references(settings: Settings) -> Iterator[ConfigError]:
    for path, variable in references(settings):
        if not VARIABLE.fullmatch(variable):
            yield ConfigError(
                path, "must be the name of an environment variable (capitals, digits, _), not a secret itself"
            )


def _urls(settings: Settings) -> Iterator[ConfigError]:
    if _has_password(settings.store.url):
        yield ConfigError(
            "store.url", "holds a password: put the URL into an environment variable, its name into store.url_env"
        )
    for name, model in settings.models.items():
        if model.api_base is None:
            continue
        if urlsplit(model.api_base).scheme not in ("http", "https"):
            yield ConfigError(f"models.{name}.api_base", "must start with http:// or https://")
        if _has_password(model.api_base):
            yield ConfigError(f"models.{name}.api_base", "holds a user or password: use api_key_env")


def _has_password(url: str) -> bool:
    netloc = urlsplit(url).netloc
    return ":" in netloc.rpartition("@")[0]


def _sasl(settings: Settings) -> Iterator[ConfigError]:
    kafka = settings.kafka
    if kafka.security_protocol.startswith("SASL"):
        for key in ("sasl_username", "sasl_password_env"):
            if getattr(kafka, key) is None:
                yield ConfigError(f"kafka.{key}", f"is required with {kafka.security_protocol}: add it")


def _identity(model: ModelPolicy) -> tuple[str, str]:
    return model.model.strip().lower(), (model.api_base or "").strip().rstrip("/").lower()


def _aliases(settings: Settings) -> Iterator[ConfigError]:
    first: dict[tuple[str, str], str] = {}
    for name, model in settings.models.items():
        known = first.setdefault(_identity(model), name)
        if known != name:
            yield ConfigError(
                f"models.{name}", f"is the same model as models.{known} (model and api_base): keep one of them"
            )


def _panels(settings: Settings) -> Iterator[ConfigError]:
    for panel in settings.panels.values():
        yield from _panel(panel, settings.models)


def _panel(panel: PanelPolicy, models: Mapping[str, ModelPolicy]) -> Iterator[ConfigError]:
    path = f"panels.{panel.name}"
    if not panel.models:
        yield ConfigError(f"{path}.models", "is empty: name at least two models of different families")
        return
    for index, name in enumerate(panel.models):
        if name not in models:
            yield ConfigError(
                f"{path}.models[{index}]", f"there is no model {name!r}: add it under models or remove it here"
            )
        elif name in panel.models[:index]:
            yield ConfigError(f"{path}.models[{index}]", f"{name!r} is listed twice: remove one of them")
    if panel.quorum < 2:
        yield ConfigError(f"{path}.quorum", "must be at least 2: one answer is no consensus")
    if panel.quorum > len(set(panel.models)):
        yield ConfigError(
            f"{path}.quorum", f"is larger than the panel of {len(set(panel.models))}: lower it or add models"
        )
    yield from _families(panel, models)


def _families(panel: PanelPolicy, models: Mapping[str, ModelPolicy]) -> Iterator[ConfigError]:
    families = {models[name].family for name in panel.models if name in models}
    if not set(panel.models) <= models.keys():
        return
    if len(families) < 2:
        yield ConfigError(f"panels.{panel.name}.models", "are of one family only: add a model of another family")
    elif panel.min_families > len(families):
        yield ConfigError(
            f"panels.{panel.name}.min_families", f"is larger than the panel's {len(families)} families: lower it"
        )


def _arbiters(settings: Settings) -> Iterator[ConfigError]:
    for name, arbiter in settings.arbiters.items():
        if arbiter.model not in settings.models:
            yield ConfigError(f"arbiters.{name}.model", f"there is no model {arbiter.model!r}: add it under models")


def _policies(settings: Settings) -> Iterator[ConfigError]:
    if settings.panels and not settings.policies:
        yield ConfigError("policies", "is empty: add a policy (named default) that says which panel decides")
    for policy in settings.policy_policies().values():
        path = f"policies.{policy.name}"
        if policy.panel not in settings.panels:
            yield ConfigError(f"{path}.panel", f"there is no panel {policy.panel!r}: add it under panels")
        elif policy.budget.calls < settings.panels[policy.panel].quorum:
            yield ConfigError(f"{path}.budget.calls", "is smaller than the panel's quorum: raise it")
        if policy.judge is not None and policy.judge not in settings.models:
            yield ConfigError(f"{path}.judge", f"there is no model {policy.judge!r}: add it under models")
        for index, arbiter in enumerate(policy.arbiters):
            if arbiter not in settings.arbiters:
                yield ConfigError(
                    f"{path}.arbiters[{index}]", f"there is no arbiter {arbiter!r}: add it under arbiters"
                )
        yield from _worst_dispute(policy, settings)
        yield from _unanimous(policy)
        yield from _classes(policy)


def _worst_dispute(policy: Policy, settings: Settings) -> Iterator[ConfigError]:
    """In the worst dispute every family of the panel stands behind one of the candidates."""
    if policy.review or policy.on_disagreement[Kind.REASONING] is Route.ABSTAIN or policy.panel not in settings.panels:
        return
    members = (settings.models.get(name) for name in settings.panels[policy.panel].models)
    disputants = {model.family for model in members if model is not None}
    judges = (settings.arbiters[name].model for name in policy.arbiters if name in settings.arbiters)
    if not any(name in settings.models and settings.models[name].family not in disputants for name in judges):
        yield ConfigError(
            f"policies.{policy.name}.arbiters",
            "when all families of the panel disagree there is no eligible arbiter and no review queue: "
            "add an arbiter of a family outside the panel, or turn review on",
        )


def _unanimous(policy: Policy) -> Iterator[ConfigError]:
    rules = policy.applies_to
    if policy.accept_uncertified == "unanimous" and rules and all(r.stakes not in (None, Stakes.LOW) for r in rules):
        yield ConfigError(
            f"policies.{policy.name}.accept_uncertified",
            "unanimous is allowed at low stakes only, where this policy never applies: write never",
        )


def _classes(policy: Policy) -> Iterator[ConfigError]:
    names: set[str] = set()
    owner: dict[str, str] = {}
    for index, cls in enumerate(policy.classes):
        path = f"policies.{policy.name}.classes[{index}]"
        if cls.name in names or cls.name == RESERVED_CLASS:
            yield ConfigError(f"{path}.name", f"{cls.name!r} is taken: give the class another name")
        names.add(cls.name)
        if not cls.domains:
            yield ConfigError(f"{path}.domains", "is empty: list the domains that the class speaks about")
        for domain in cls.domains:
            if owner.setdefault(domain, cls.name) != cls.name:
                yield ConfigError(
                    f"{path}.domains", f"{domain!r} is in the class {owner[domain]!r} already: keep it in one"
                )


def _overlaps(settings: Settings) -> Iterator[ConfigError]:
    first: dict[tuple[str | None, Stakes | None], str] = {}
    for policy in settings.policies.values():
        for index, rule in enumerate(policy.applies_to):
            path = f"policies.{policy.name}.applies_to[{index}]"
            known = first.setdefault((rule.domain, rule.stakes), path)
            if known != path:
                yield ConfigError(path, f"says the same as {known}: only one policy can apply, remove one of them")


def _retired(settings: Settings, today: date) -> Iterator[ConfigError]:
    used = {name for panel in settings.panels.values() for name in panel.models}
    used |= {arbiter.model for arbiter in settings.arbiters.values()}
    used |= {policy.judge for policy in settings.policies.values() if policy.judge is not None}
    for name, model in settings.models.items():
        if name in used and model.retires_on is not None and model.retires_on <= today:
            yield ConfigError(
                f"models.{name}.retires_on", "this model is retired: replace it in its panels and arbiters"
            )
