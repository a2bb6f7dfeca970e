"""Panels that are worth fewer independent votes than their policies ask for. Pure: findings, never errors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from calibration.correlation import POOLED, effective_votes_assumed
from calibration.snapshot import Snapshot
from consensus.policy import PanelPolicy, Policy
from consensus.settings.caution import Caution


def redundancy(
    policies: Mapping[str, Policy], panels: Mapping[str, PanelPolicy], snapshot: Snapshot | None
) -> Iterator[Caution]:
    """A caution for every policy whose panel falls below ``effective_votes_min``.

    Counted by the correlations of the ``snapshot``, over all domains together; by the assumed ones where it does not
    know every member, or there is none.
    """
    for policy in policies.values():
        members = panels[policy.panel].models
        fitted = None if snapshot is None else snapshot.effective_votes(members, POOLED)
        worth = effective_votes_assumed(len(members)) if fitted is None else fitted
        if policy.effective_votes_min is None or worth >= policy.effective_votes_min:
            continue
        how = (
            "until their correlations are fitted"
            if fitted is None or snapshot is None
            else f"by the errors that {snapshot.version} was fitted on: add models that err otherwise"
        )
        yield Caution(
            f"policies.{policy.name}.effective_votes_min",
            f"{len(members)} members are worth about {worth:.2f} independent votes {how}",
        )
