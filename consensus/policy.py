"""Frozen policies that settings are turned into. Pure data and the one rule that picks a request's policy."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import date
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Field, field_validator

from consensus.errors import Malformed
from consensus.types import Frozen, Kind, Request, Route, Stakes


class Configured(Frozen):
    """Base of what the configuration sets: an unknown key is an error, never ignored."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


def _switch(value: Any) -> Any:
    """YAML reads a bare ``on`` or ``off`` as a boolean."""
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else value


class ModelPolicy(Configured):
    """A configured LLM endpoint. Prices in dollars per million tokens; ``family`` is its training lineage."""

    name: str
    model: str = Field(min_length=1)
    """litellm id, e.g. ``openai/gpt-…``."""
    family: str = Field(min_length=1)
    """Lineage of training: models of one family count as relatives, whoever serves them."""
    api_base: str | None = None
    """Address of the endpoint, where it is not the provider's own."""
    api_key_env: str | None = None
    """Environment variable that holds the key."""
    price_in: float | None = Field(default=None, ge=0)
    """Dollars per million tokens read."""
    price_out: float | None = Field(default=None, ge=0)
    """Dollars per million tokens written."""
    timeout_s: float = Field(default=60.0, gt=0, le=3600)
    """Bound of one attempt."""
    max_tokens: int = Field(default=1024, ge=1)
    """Bound of one reply."""
    rpm: int | None = Field(default=None, ge=1)
    """Requests per minute that the provider allows."""
    tpm: int | None = Field(default=None, ge=1)
    """Tokens per minute that the provider allows."""
    max_in_flight: int = Field(default=32, ge=1)
    """Calls at the same time."""
    structured: Annotated[Literal["auto", "on", "off"], BeforeValidator(_switch)] = "auto"
    """Whether the provider is asked to enforce the answer's JSON Schema; ``auto`` follows litellm's own table."""
    logprobs: bool = False
    """Whether to ask for token log probabilities."""
    retires_on: date | None = None
    """Day from which the provider no longer serves it."""
    replaces: str | None = None
    """Name of the model whose place it takes."""


class PanelPolicy(Configured):
    """The models that may be asked. Fewer than ``quorum`` opinions or ``min_families`` families is *degraded*."""

    name: str
    models: tuple[str, ...]
    """Names of entries of ``models``."""
    quorum: int
    """Answers needed, at least 2."""
    min_families: int = 2
    """Families needed among the answers."""


class BudgetPolicy(Configured):
    """Bounds per request over all paid calls: panel, retries, arbiters, repairs, judges."""

    money: float | None = Field(default=None, gt=0)
    """Dollars per request."""
    calls: int = Field(default=32, ge=1)
    """Calls per request."""


class AppliesTo(Configured):
    """The requests that a policy is for: those that match every key that is given."""

    domain: str | None = None
    """A request's ``domain``; absent: any."""
    stakes: Stakes | None = None
    """A request's ``stakes``; absent: any."""

    def specificity(self, domain: str, stakes: Stakes) -> int | None:
        """Number of matching keys, or ``None`` when one of them does not match."""
        pairs = ((self.domain, domain), (self.stakes, stakes))
        if any(want is not None and want != got for want, got in pairs):
            return None
        return sum(want is not None for want, _ in pairs)


class ClassPolicy(Configured):
    """A named class of a policy: the domains one certificate speaks about."""

    name: str
    """Second part of the class's name: ``policy/name``."""
    domains: tuple[str, ...]
    """Domains of the class; the others of the policy form the class ``other``."""


class ArbiterPolicy(Configured):
    """An arbiter: the entry of ``models`` that judges, and what one comparison may take."""

    name: str
    model: str
    """Name of the entry of ``models``. Its family must have voted for none of the disputed candidates."""
    compare_s: float = Field(default=2.0, gt=0, le=3600)
    """Seconds that one comparison takes: with less time left it is not asked."""
    candidate_chars: int = Field(default=4_000, ge=100, le=100_000)
    """Characters of each candidate that it is shown: the same bound for all of them."""


ACCEPTABLE = frozenset({Kind.NONE, Kind.STYLISTIC})
"""Kinds that a policy may route to ``accept``: one cluster of answers, quorum met."""

DEFAULT_ON_DISAGREEMENT: dict[Kind, Route] = {
    Kind.ADVERSARIAL: Route.REVIEW,
    Kind.DEGRADED: Route.EXTEND,
    Kind.REFUSAL: Route.EXTEND,
    Kind.NONE: Route.ACCEPT,
    Kind.STYLISTIC: Route.ACCEPT,
    Kind.HIGH_CONFIDENCE: Route.REVIEW,
    Kind.REASONING: Route.ARBITRATE,
}


BOUND = ("on_disagreement", "confidence_bar", "accept_uncertified", "judge", "applies_to", "classes")
"""Fields of a policy that a certificate binds: what is accepted, how the panel is heard, which requests there are."""


class Policy(Configured):
    """How requests of some domains and stakes are decided."""

    name: str
    panel: str
    """Name of the panel that decides."""
    arbiters: tuple[str, ...] = ()
    """Names of arbiters, in the order in which they are asked."""
    judge: str | None = None
    """Name of the entry of ``models`` that is asked whether texts mean the same, where the request allows ``judge``."""
    review: bool = True
    """Whether a review queue exists; without one, what would be reviewed is abstained."""
    alpha: float = Field(default=0.10, gt=0, lt=1)
    """Bound of the error rate among accepted answers."""
    delta: float = Field(default=0.05, gt=0, lt=1)
    """Probability with which the bound may fail."""
    accept_uncertified: Literal["never", "unanimous"] = "never"
    """``unanimous``: at low stakes, what all members say is accepted without a certificate, and says so."""
    on_disagreement: dict[Kind, Route] = Field(default_factory=lambda: dict(DEFAULT_ON_DISAGREEMENT))
    """Route by kind of disagreement; kinds that are not listed keep their default."""
    confidence_bar: float = Field(default=0.9, gt=0.5, le=1)
    """Calibrated confidence from which two opposed members make a ``high_confidence`` dispute."""
    effective_votes_min: float | None = Field(default=None, gt=0)
    """Effective votes of the panel below which ``config check``, a worker and ``decide`` warn: the fitted ones where a
    snapshot is in use, else the assumed ones."""
    deadline_ms: int = Field(default=60_000, gt=0)
    """For requests that bring none."""
    budget: BudgetPolicy = BudgetPolicy()
    """Bounds per request."""
    audit_rate: float = Field(default=0.02, ge=0, le=1)
    """Share of requests that people check blind; default: ``audit.rate``."""
    exploration_rate: float = Field(default=0.05, ge=0, le=1)
    """Share ε of requests that ask the full panel even when a snapshot allows fewer calls."""
    applies_to: tuple[AppliesTo, ...] = ()
    """Requests that name no policy and match one of these; the most specific match wins."""
    classes: tuple[ClassPolicy, ...] = ()
    """Classes that are certified apart; none: the policy is one class."""

    @field_validator("on_disagreement")
    @classmethod
    def _fail_closed(cls, routes: dict[Kind, Route]) -> dict[Kind, Route]:
        """Kinds that are not listed keep their default; a dispute can never be configured to be accepted (I8)."""
        for kind, route in routes.items():
            if route is Route.ACCEPT and kind not in ACCEPTABLE:
                raise ValueError(f"{kind} may not be accepted: choose extend, arbitrate, review or abstain")
        return {**DEFAULT_ON_DISAGREEMENT, **routes}

    @cached_property
    def bound(self) -> str:
        """What a certificate binds of this policy, as JSON."""
        return self.model_dump_json(include=set(BOUND))

    @cached_property
    def version(self) -> str:
        """Content hash: any change of the policy is another version."""
        return f"{self.name}@{hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:12]}"

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of all its certificate classes."""
        listed = tuple(f"{self.name}/{cls.name}" for cls in self.classes)
        return (*listed, f"{self.name}/other") if listed else (self.name,)

    def class_of(self, domain: str) -> str:
        """Name of the certificate class: the policy's, or ``policy/class`` where the policy lists classes."""
        for cls in self.classes:
            if domain in cls.domains:
                return f"{self.name}/{cls.name}"
        return self.name if not self.classes else f"{self.name}/other"


def select(policies: dict[str, Policy], request: Request) -> Policy:
    """The policy the request names, else the most specific match, else ``default``.

    Raises Malformed (field ``policy``) when the named policy does not exist or nothing matches. Among equally specific
    matches the first in configuration order wins.
    """
    if request.policy is not None:
        if request.policy not in policies:
            raise Malformed(f"unknown policy {request.policy!r}", field="policy", code="unknown_policy")
        return policies[request.policy]
    best = max(_matches(policies.values(), request), key=lambda match: match[0], default=None)
    if best is not None:
        return best[1]
    if "default" in policies:
        return policies["default"]
    raise Malformed("no policy applies and there is no policy named default", field="policy", code="unknown_policy")


def _matches(policies: Iterable[Policy], request: Request) -> Iterable[tuple[int, Policy]]:
    for policy in policies:
        for rule in policy.applies_to:
            specificity = rule.specificity(request.domain, request.stakes)
            if specificity is not None:
                yield specificity, policy
