"""One certification campaign as data: what is frozen, what went missing, how it ended. Pure.

The three parts are records of the snapshots topic, so that whoever reads the topic again has the same campaign:
the definition (first one wins, never changed), the positions whose labels did not come in time, and the end.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple, Self

import numpy as np
from pydantic import AwareDatetime, Field

from calibration import certificates
from calibration.certificates import Campaign, Progress
from calibration.frozen import Frozen, parsed
from calibration.sampling import uniform
from calibration.snapshot import Snapshot, SnapshotCertificate
from calibration.tally import Floats

EXCLUSION_SHARE = 0.1
"""Part of a campaign's δ that is spent on finding domains that do not belong into the class."""

CERTIFIED = "certified/"
"""Before the class in the name of a snapshot that carries its certificate."""

FROZEN = "frozen/"
"""Before the class in the name under which a campaign's snapshot stays on the compacted topic."""

REVOKED_BY = "a monitor of blind audits of accepted answers, valid at any time; a newer campaign; a change of the rule"

PREFIX = "campaign/"
"""Of the keys of a campaign's records on the snapshots topic."""

Key = tuple[str, str]
"""(tenant, request id)."""


class CampaignInvalid(ValueError):
    """The bytes are no record of a campaign, or were changed since they were written."""


class Item(NamedTuple):
    """One request of the archive: its confidence under the frozen snapshot, and the candidate that it would accept."""

    tenant: str
    request_id: str
    domain: str
    score: float
    top: int

    @property
    def key(self) -> Key:
        """(tenant, request id)."""
        return self.tenant, self.request_id


class Definition(Frozen):
    """All that is fixed before the first label, under one hash.

    id                ``class:cycle``, cycles counted from 1.
    rule              hash of what decides about acceptance beside the snapshot.
    snapshot_version  basis of the frozen snapshot.
    delta             promised for all ``classes`` and cycles together; ``share`` is this campaign's part of it.
    plan              regions, start, budget and boundary; its own δ is the share without `EXCLUSION_SHARE`.
    archive           requests from which the shares of the regions were taken.
    items             those of them that some region holds, in the order of the walk.
    horizon_hours     after so long a task without a label counts as an error.
    """

    id: str
    digest: str
    class_: str = Field(alias="class")
    cycle: int = Field(ge=1)
    policy: str
    rule: str | None
    snapshot_version: str
    alpha: float
    delta: float
    share: float
    classes: int
    opened_at: AwareDatetime
    horizon_hours: float = Field(gt=0)
    archive: int
    plan: Campaign
    items: tuple[Item, ...]

    @property
    def key(self) -> str:
        """Its key on the topic."""
        return f"{PREFIX}{self.id}"

    @property
    def scores(self) -> Floats:
        """Float (items,): confidences in the order of the walk."""
        return scores_of(self.items)

    def to_json(self) -> bytes:
        """Canonical JSON: equal definitions are equal bytes."""
        return _canonical(self.model_dump(mode="json", by_alias=True))

    @classmethod
    def from_json(cls, data: bytes) -> Self:
        """Read `to_json`. Raises CampaignInvalid."""
        found = parsed(cls, data, CampaignInvalid)
        if found.digest != found.content_digest():
            raise CampaignInvalid(f"the definition of {found.id} was changed after it was frozen")
        return found

    def content_digest(self) -> str:
        """SHA-256 in hex of everything but the digest itself."""
        tree = self.model_dump(mode="json", by_alias=True, exclude={"digest"})
        return hashlib.sha256(_canonical(tree)).hexdigest()


class Missing(Frozen):
    """Positions of ``items`` whose labels did not come by their horizon: errors, whatever comes later."""

    campaign: str
    class_: str = Field(alias="class")
    positions: tuple[int, ...]

    @property
    def key(self) -> str:
        """Its key on the topic."""
        return f"{PREFIX}{self.campaign}:missing"

    def to_json(self) -> bytes:
        """Canonical JSON."""
        return _canonical(self.model_dump(mode="json", by_alias=True))

    @classmethod
    def from_json(cls, data: bytes) -> Self:
        """Read `to_json`. Raises CampaignInvalid."""
        return parsed(cls, data, CampaignInvalid)


class End(Frozen):
    """How a campaign ended: a certificate, or none and the labels that would probably do (``None``: no number would).

    ``digest`` is that of the definition; outcomes that are corrected afterwards change nothing here.
    """

    campaign: str
    class_: str = Field(alias="class")
    digest: str
    at: AwareDatetime
    progress: Progress
    certificate: SnapshotCertificate | None
    would_do: int | None

    @property
    def key(self) -> str:
        """Its key on the topic."""
        return f"{PREFIX}{self.campaign}:end"

    def to_json(self) -> bytes:
        """Canonical JSON."""
        return _canonical(self.model_dump(mode="json", by_alias=True))

    @classmethod
    def from_json(cls, data: bytes) -> Self:
        """Read `to_json`. Raises CampaignInvalid."""
        return parsed(cls, data, CampaignInvalid)


Part = Definition | Missing | End


def read(key: str, data: bytes) -> Part:
    """The part of a campaign that a key of the snapshots topic names. Raises CampaignInvalid."""
    parts: dict[str, Callable[[bytes], Part]] = {"missing": Missing.from_json, "end": End.from_json}
    part = parts.get(key.rpartition(":")[2], Definition.from_json)(data)
    if part.key != key:
        raise CampaignInvalid(f"the record of {part.key} stands under {key}")
    return part


def define(
    items: Sequence[Item],
    *,
    cls: str,
    cycle: int,
    policy: str,
    rule: str | None,
    snapshot: Snapshot,
    alpha: float,
    delta: float,
    classes: int,
    budget: int,
    opened_at: datetime,
    horizon_hours: float,
) -> Definition:
    """Freeze a campaign over an archive in any order; it is put into that of a hash of the ids, blind to labels.

    ``delta`` is what is promised for all classes and cycles together, ``budget`` the labels that may be asked for:
    fewer are used where the archive is too small for a boundary of so many. Raises ValueError on an empty archive.
    """
    ident = f"{cls}:{cycle}"
    ordered = sorted(items, key=lambda item: (uniform(f"campaign {ident}", *item.key), item.key))
    scores = scores_of(ordered)
    share = certificates.shared(delta, classes=classes, cycle=cycle)
    walked = share * (1 - EXCLUSION_SHARE)
    useful = certificates.useful_budget(scores, alpha=alpha, delta=walked, most=budget) if len(scores) else budget
    plan = certificates.plan(scores, alpha=alpha, delta=walked, budget=useful)
    lowest = plan.thresholds[-1] if plan.thresholds else math.inf
    draft = Definition.model_validate({
        "id": ident, "digest": "", "class": cls, "cycle": cycle, "policy": policy, "rule": rule,
        "snapshot_version": snapshot.basis, "alpha": alpha, "delta": delta, "share": share, "classes": classes,
        "opened_at": opened_at, "horizon_hours": horizon_hours, "archive": len(ordered), "plan": plan,
        "items": tuple(item for item in ordered if item.score >= lowest),
    })  # fmt: skip
    return draft.model_copy(update={"digest": draft.content_digest()})


def scores_of(items: Sequence[Item]) -> Floats:
    """Float (items,): their confidences."""
    return np.array([item.score for item in items], dtype=np.float64)


def wrongs(definition: Definition, truths: Mapping[Key, int | None], missing: Sequence[int] = ()) -> Floats:
    """Float (items,): 1 for an error, 0 for a right answer, NaN where no label is known yet.

    ``truths``: right candidate by request; ``None`` where outcomes contradict one another, which is no label yet.
    ``missing`` positions are errors whatever the labels say.
    """
    found = np.full(len(definition.items), np.nan)
    for position, item in enumerate(definition.items):
        truth = truths.get(item.key)
        if truth is not None:
            found[position] = float(truth != item.top)
    found[list(missing)] = 1.0
    return found


def conclude(definition: Definition, wrong: Floats, at: datetime) -> End:
    """The end of a campaign whose walk is finished, or that is given up where it stands."""
    progress = certificates.walk(definition.plan, definition.scores, wrong)
    certificate = None if progress.threshold is None else _certificate(definition, progress, wrong, at)
    return End.model_validate({
        "campaign": definition.id, "class": definition.class_, "digest": definition.digest, "at": at,
        "progress": progress, "certificate": certificate,
        "would_do": None if certificate is not None else labels_that_would_do(definition, progress),
    })  # fmt: skip


def certified(snapshot: Snapshot, certificate: SnapshotCertificate) -> Snapshot:
    """The snapshot that a certified class decides with, under a name of its own."""
    return snapshot.with_changes(name=f"{CERTIFIED}{certificate.class_}", certificates=(certificate,))


def frozen(snapshot: Snapshot, cls: str) -> Snapshot:
    """A campaign's snapshot under a name that no refit replaces."""
    return snapshot.with_changes(name=f"{FROZEN}{cls}", certificates=(), suspended=())


def labels_that_would_do(definition: Definition, progress: Progress) -> int | None:
    """Labels that would probably certify something; ``None``: no number would.

    What the confidences promise, and where the region under test says otherwise, what was found in it.
    """
    padded = np.zeros(definition.archive)
    padded[: len(definition.items)] = definition.scores
    promised = certificates.labels_needed(padded, alpha=definition.alpha, delta=definition.plan.delta)
    if progress.tried == 0 or promised is None:
        return promised
    rate = (progress.tried_errors + 1) / (progress.tried + 2)
    found = certificates.labels_needed(np.array([1.0 - rate]), alpha=definition.alpha, delta=definition.plan.delta)
    return None if found is None else max(promised, found)


def _certificate(definition: Definition, progress: Progress, wrong: Floats, at: datetime) -> SnapshotCertificate:
    return SnapshotCertificate.model_validate({
        "class": definition.class_, "alpha": definition.alpha, "delta": definition.share, "n": progress.n,
        "errors": progress.errors, "method": definition.plan.method, "threshold": progress.threshold,
        "snapshot_version": definition.snapshot_version, "issued_at": at, "revoked_by": REVOKED_BY,
        "rule": definition.rule, "campaign": definition.id, "excluded": _excluded(definition, progress, wrong),
    })  # fmt: skip


def _excluded(definition: Definition, progress: Progress, wrong: Floats) -> tuple[str, ...]:
    """Domains that err above α with confidence among the labels inside the certified region."""
    audits: dict[str, tuple[int, int]] = {}
    for item, error in zip(definition.items, wrong.tolist(), strict=True):
        if item.score >= (progress.threshold or 0.0) and not math.isnan(error):
            n, errors = audits.get(item.domain, (0, 0))
            audits[item.domain] = (n + 1, errors + int(error))
    return certificates.excluded(audits, alpha=definition.alpha, delta=definition.share * EXCLUSION_SHARE)


def _canonical(tree: object) -> bytes:
    return json.dumps(tree, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()
