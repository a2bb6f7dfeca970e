"""A request with everything that is fixed before the first model is asked."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from calibration.lazy import LazyPlan
from calibration.snapshot import Snapshot
from consensus import wire
from consensus.aggregation import stratum
from consensus.policy import PanelPolicy, Policy
from consensus.types import AuditDraw, Request, Stakes


@dataclass(frozen=True)
class Case:
    """One request under one policy and one snapshot.

    ``cls`` is its certificate class, ``suspended`` the reason code when that class is on hold; ``nonce`` 16 hex
    characters derived from the payload, so that a redelivery asks the same words; ``place`` the prefix of a review
    task's id; ``full_panel`` whether every member is asked whatever a snapshot would save (audited or explored).
    """

    request: Request
    policy: Policy
    panel: PanelPolicy
    cls: str
    snapshot: Snapshot | None
    suspended: str | None
    nonce: str
    place: str
    started: datetime
    deadline: datetime
    audit: AuditDraw
    full_panel: bool
    context_marks: tuple[str, ...]
    due_minutes: float

    @cached_property
    def stratum(self) -> str:
        """The sort of answer that the snapshot's figures are kept by."""
        return stratum(self.request.answer)

    def plan(self) -> LazyPlan | None:
        """How to ask the panel lazily; ``None`` asks everybody: audited, explored, nothing fitted, unknown domain.

        Where unanimity alone may accept, everybody is asked too: a part of the panel is not unanimous.
        """
        unanimity = self.policy.accept_uncertified == "unanimous" and self.request.stakes is Stakes.LOW
        if self.full_panel or self.snapshot is None or unanimity:
            return None
        return self.snapshot.plan(self.panel.models, self.request.domain)


def nonce_of(request: Request) -> str:
    """16 hex characters that nobody who wrote the request's text can know, the same whenever it is asked again."""
    return hashlib.sha256(f"nonce\x00{wire.payload_hash(request)}".encode()).hexdigest()[:16]
