"""An immutable, versioned set of fitted parameters, and what it says about one ballot."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Self

from pydantic import AwareDatetime, Field

from calibration.aggregators.vote_weights import VoteWeights
from calibration.correlation import POOLED, Correlations
from calibration.curve import Curve
from calibration.frozen import Frozen, parsed
from calibration.lazy import LazyPlan, restricted
from calibration.member_confidence import MemberCurves
from calibration.reliability import Reliability
from calibration.tally import Floats

FORMAT = 1
TIE = 1e-9
_CACHED = 4096


class SnapshotInvalid(ValueError):
    """The bytes are no snapshot, of another format, not finite, or changed since they were written."""


@dataclass(frozen=True)
class Posterior:
    """What a snapshot makes of one ballot.

    probabilities  float (candidates [+ 1 for "none of these" of an open question]), sums to 1.
    top            leading candidate; ``None`` on a tie, or where "none of these" or a candidate without votes leads.
    confidence     calibrated probability that ``top`` is right; ``None`` without a ``top``.
    labels         labelled ballots that it rests on; ``source`` the method that gave it.
    domain_known   whether the snapshot has seen the domain; if not, its terms are those of an average domain.
    """

    probabilities: Floats
    top: int | None
    confidence: float | None
    labels: int
    source: str
    domain_known: bool


class Aggregator(Frozen):
    """A fitted aggregation of closed or open questions with the calibrator of its top probability."""

    kind: str
    labels: int
    weights: VoteWeights
    curve: Curve
    answer_types: dict[str, int]
    held_out: dict[str, float]
    """Held-out log loss of every method that was tried, in nats per ballot; ``kind`` is the best."""

    @cached_property
    def _families_of_types(self) -> frozenset[str]:
        return frozenset(name.partition("/")[0] for name in self.answer_types)

    def knows(self, answer_type: str) -> bool:
        """Whether this sort of answer was fitted, be it as another variety (``choice`` and ``choice/…``)."""
        return answer_type.partition("/")[0] in self._families_of_types


class SnapshotCertificate(Frozen):
    """Among accepted requests of a class, error ≤ ``alpha`` with probability ≥ 1 − ``delta``.

    snapshot_version  the `Snapshot.basis` whose confidences it speaks of: under any other it says nothing.
    rule              hash of what else decides about acceptance (panel, quorum, routes); ``None`` binds no such rule.
    campaign          the campaign that issued it; n and errors are its audits inside the certified region.
    excluded          domains that left the class, since their audited error was above ``alpha`` with confidence.
    """

    class_: str = Field(alias="class")
    alpha: float
    delta: float
    n: int
    method: str
    threshold: float
    snapshot_version: str
    issued_at: AwareDatetime
    revoked_by: str
    errors: int = 0
    rule: str | None = None
    campaign: str | None = None
    excluded: tuple[str, ...] = ()


class Snapshot(Frozen):
    """Fitted parameters under one content hash. ``aggregators`` has the keys ``closed`` and ``open``, where fitted."""

    format: int = FORMAT
    name: str = "default"
    version: str
    parent: str | None = None
    fitted_at: AwareDatetime
    labels: int
    models: tuple[str, ...]
    families: tuple[str, ...]
    domains: tuple[str, ...]
    reliability: tuple[Reliability, ...]
    aggregators: dict[str, Aggregator]
    members: MemberCurves
    correlation: Correlations
    plans: tuple[LazyPlan, ...] = ()
    certificates: tuple[SnapshotCertificate, ...] = ()
    suspended: tuple[str, ...] = ()

    def to_json(self) -> bytes:
        """Canonical JSON: sorted keys, no spaces, so that equal snapshots are equal bytes."""
        return _canonical(self)

    @classmethod
    def from_json(cls, data: bytes) -> Self:
        """Read `to_json`. Raises SnapshotInvalid: not JSON, another format, NaN, a missing part, a changed content."""
        snapshot = parsed(cls, data, SnapshotInvalid, faults=3)
        if snapshot.format != FORMAT:
            raise SnapshotInvalid(f"format {snapshot.format} is not the supported format {FORMAT}")
        if snapshot.version != content_version(snapshot):
            raise SnapshotInvalid(f"content does not match version {snapshot.version}")
        return snapshot

    def with_changes(self, **changes: object) -> Self:
        """A copy with other fields, under its own content hash and with this one as parent."""
        draft = self.model_copy(update={"parent": self.version, **changes})
        return draft.model_copy(update={"version": content_version(draft)})

    @cached_property
    def basis(self) -> str:
        """Version of the bare fit under the name "default": copies with certificates or other names have the same."""
        bare = {"name": "default", "parent": None, "certificates": (), "suspended": ()}
        return content_version(self.model_copy(update=bare))

    def certificate(self, cls: str) -> SnapshotCertificate | None:
        """The certificate of a class; ``None`` where there is none, or where it was issued for another fit."""
        found = self._certificates.get(cls)
        return found if found is not None and found.snapshot_version == self.basis else None

    def posterior(
        self,
        models: Sequence[str],
        votes: Sequence[int],
        candidates: int,
        *,
        domain: str,
        answer_type: str,
        open_set: bool,
    ) -> Posterior | None:
        """Posterior of one ballot; ``None`` where nothing has been fitted for this answer type.

        ``votes`` are candidate indices or `NoVote` codes in the order of ``models``; a model named twice has one vote,
        its first. Raises ValueError when a vote names no candidate.
        """
        aggregator = self.aggregators.get("open" if open_set else "closed")
        if aggregator is None or not aggregator.knows(answer_type) or candidates + open_set < 1:
            return None
        if max(votes, default=-1) >= candidates:
            raise ValueError("a vote must be smaller than the number of candidates")
        known = domain in self._domains
        weights, none = self._compiled(aggregator, tuple(models), domain if known else "", answer_type, open_set)
        counted = [vote if weight is not None else -1 for weight, vote in zip(weights, votes, strict=True)]
        table = aggregator.weights.posterior_one([w or 0.0 for w in weights], counted, candidates, none)
        probabilities = table.tolist()
        top = _leader(probabilities, counted)
        confidence = None if top is None else aggregator.curve.value(probabilities[top], domain)
        return Posterior(table, top, confidence, aggregator.labels, aggregator.kind, known)

    def member_confidence(
        self,
        model: str,
        version: str | None,
        source: str,
        prompt_hash: str | None,
        domain: str,
        answer_type: str,
        raw: float,
    ) -> float | None:
        """Calibrated probability that a member's answer is right, from its own raw confidence; ``None`` if unfitted."""
        return self.members.value((source, model, version or "", prompt_hash or "", answer_type), domain, raw)

    def reliability_of(self, model: str, domain: str) -> Reliability | None:
        """Reliability of a model in a domain, over all domains where that one is unknown, ``None`` if it is."""
        return self._reliability.get((model, domain)) or self._reliability.get((model, POOLED))

    def effective_votes(self, models: Sequence[str], domain: str) -> float | None:
        """Effective votes of distinct models; ``None`` when one of them was unknown at fitting time."""
        key = (tuple(models), domain if domain in self._domains else POOLED)
        kept = self._votes
        if key in kept:
            return kept[key]
        known = bool(models) and set(models) <= set(self.models)
        found = self.correlation.effective_votes(models, domain) if known else None
        if len(kept) < _CACHED:
            kept[key] = found
        return found

    def plan(self, models: Sequence[str], domain: str) -> LazyPlan | None:
        """How to ask this panel lazily; ``None`` where the full panel should be asked (unknown domain or member)."""
        if domain not in self._domains:
            return None
        plans = (restricted(plan, models) for plan in self.plans)
        return next((plan for plan in plans if plan is not None), None)

    @cached_property
    def _votes(self) -> dict[tuple[tuple[str, ...], str], float | None]:
        return {}

    @cached_property
    def _certificates(self) -> dict[str, SnapshotCertificate]:
        """By class; of several the first."""
        return {certificate.class_: certificate for certificate in reversed(self.certificates)}

    @cached_property
    def _domains(self) -> frozenset[str]:
        return frozenset(self.domains)

    @cached_property
    def _reliability(self) -> dict[tuple[str, str], Reliability]:
        return {(entry.model, entry.domain): entry for entry in self.reliability}

    @cached_property
    def _compilations(self) -> dict[tuple[object, ...], tuple[tuple[float | None, ...], float | None]]:
        return {}

    def _compiled(
        self, aggregator: Aggregator, models: tuple[str, ...], domain: str, answer_type: str, open_set: bool
    ) -> tuple[tuple[float | None, ...], float | None]:
        """Weight of each member's vote (``None`` for a repeated name) and the score of "none of these", cached."""
        key = (models, domain, answer_type, open_set)
        found = self._compilations.get(key)
        if found is None:
            weights = tuple(
                aggregator.weights.vote(model, domain, answer_type) if model not in models[:i] else None
                for i, model in enumerate(models)
            )
            found = (weights, aggregator.weights.none_score(domain) if open_set else None)
            if len(self._compilations) < _CACHED:  # panels and domains are few, but nothing here grows for ever
                self._compilations[key] = found
        return found


def build(*, fitted_at: datetime, **parts: object) -> Snapshot:
    """A snapshot under its content hash."""
    draft = Snapshot.model_validate({"version": "s-" + "0" * 16, "fitted_at": fitted_at, **parts})
    return draft.model_copy(update={"version": content_version(draft)})


def content_version(snapshot: Snapshot) -> str:
    """``s-`` and the first 16 hex digits of the SHA-256 of everything but the version."""
    return "s-" + hashlib.sha256(_canonical(snapshot, without="version")).hexdigest()[:16]


def _canonical(snapshot: Snapshot, without: str | None = None) -> bytes:
    tree = snapshot.model_dump(mode="json", by_alias=True, exclude={without} if without else None)
    return json.dumps(tree, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def _leader(probabilities: list[float], votes: Sequence[int]) -> int | None:
    if not math.isfinite(sum(probabilities)):  # one NaN may stand anywhere in a sorted list
        return None
    ranked = sorted(probabilities, reverse=True)
    if len(ranked) > 1 and ranked[0] - ranked[1] <= TIE:
        return None
    top = probabilities.index(ranked[0])
    return top if top in votes else None
