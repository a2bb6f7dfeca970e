"""Which certificate speaks about a request, and the rule that it binds. Pure.

A certificate binds one fit and one rule. The fit is compared by the snapshot's basis, the rule by a hash of everything
else that decides about acceptance; under another panel, quorum or route it says nothing.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import lru_cache

from calibration.snapshot import Snapshot, SnapshotCertificate
from consensus.policy import PanelPolicy, Policy
from consensus.types import Certificate, Kind, Route

CERTIFIABLE = frozenset({Kind.NONE, Kind.STYLISTIC, Kind.REASONING})
"""Kinds whose answers a certificate may accept; the others go to people whatever the numbers say."""


@dataclass(frozen=True)
class Standing:
    """The certificate of a request's class, or ``doubt``, why the one that there is does not speak about it."""

    certificate: Certificate | None = None
    doubt: str | None = None


def rule_of(policy: Policy, panel: PanelPolicy) -> str:
    """Hash of the rule that a certificate of this policy binds: 16 hex digits."""
    return _hash(policy.bound, panel.models, panel.quorum, panel.min_families)


@lru_cache(maxsize=256)
def _hash(bound: str, models: tuple[str, ...], quorum: int, min_families: int) -> str:
    tree = {**json.loads(bound), "panel": [list(models), quorum, min_families]}
    return hashlib.sha256(json.dumps(tree, sort_keys=True).encode()).hexdigest()[:16]


def standing(snapshot: Snapshot | None, cls: str, domain: str, policy: Policy, panel: PanelPolicy) -> Standing:
    """What the snapshot's certificate says about a request of this class and domain."""
    raw = None if snapshot is None else snapshot.certificate(cls)
    if raw is None:
        return Standing()
    if raw.rule is not None and raw.rule != rule_of(policy, panel):
        return Standing(doubt="rule_changed")
    if domain in raw.excluded:
        return Standing(doubt="domain_excluded")
    return Standing(_shown(raw))


@lru_cache(maxsize=64)
def _shown(raw: SnapshotCertificate) -> Certificate:
    """The certificate as a verdict carries it; kept, since a class has one for thousands of requests."""
    return Certificate.model_validate(raw.model_dump(by_alias=True))


def certifiable(kind: Kind, policy: Policy) -> bool:
    """Whether answers of this kind may be accepted under a certificate: a policy that wants a person gets one."""
    return kind in CERTIFIABLE and policy.on_disagreement.get(kind, Route.REVIEW) in (Route.ACCEPT, Route.ARBITRATE)
