"""Where certification stands, as JSON values: campaigns, certificates, states of classes, audits against plan."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from calibration import campaign, certificates
from calibration.campaign import Definition
from calibration.certificates import Progress
from calibration.classes import ClassState
from calibration.store import campaigns, classes
from calibration.store.campaigns import Later


async def overview(connection: AsyncConnection, now: datetime) -> dict[str, Any]:
    """Everything at once, for reports: ``campaigns``, ``certificates``, ``classes`` and ``audits``."""
    states = await classes.current(connection)
    return {
        "campaigns": [await status(connection, ident) for ident in await campaigns.all_ids(connection)],
        "certificates": await _certificates(connection, states, now),
        "classes": [state.model_dump(mode="json", by_alias=True) for state in await classes.history(connection)],
        "audits": [plan.tree() for plan in await classes.audit_plans(connection, now)],
    }


async def status(connection: AsyncConnection, ident: str) -> dict[str, Any]:
    """One campaign: what it froze, how far it is, and what is still to be expected. Raises KeyError when unknown."""
    definition = await campaigns.definition(connection, ident)
    if definition is None:
        raise KeyError(ident)
    later = await campaigns.later(connection, ident)
    truths = await campaigns.truths(connection, (item.key for item in definition.items))
    wrong = campaign.wrongs(definition, truths, later.missing)
    scores = definition.scores
    progress = later.end.progress if later.end is not None else certificates.walk(definition.plan, scores, wrong)
    running = later.end is None
    return {
        "id": definition.id,
        "digest": definition.digest,
        "class": definition.class_,
        "state": _state(later),
        "alpha": definition.alpha,
        "delta": definition.delta,
        "share": definition.share,
        "snapshot_version": definition.snapshot_version,
        "opened_at": definition.opened_at.isoformat(),
        "archive": definition.archive,
        "budget": definition.plan.budget,
        **_walked(progress),
        "missing": len(later.missing),
        "expected_to_go": certificates.expected_to_go(definition.plan, scores, wrong) if running else None,
        "coverage": _coverage(definition, progress),
        "would_do": None if later.end is None else later.end.would_do,
    }


def _walked(progress: Progress) -> dict[str, Any]:
    return {
        "labels_used": progress.used,
        "regions": progress.regions,
        "threshold": progress.threshold,
        "n": progress.n,
        "errors": progress.errors,
        "tried": progress.tried,
        "tried_errors": progress.tried_errors,
    }


def _state(later: Later) -> str:
    if later.end is None:
        return "running"
    return "no_safe_threshold" if later.end.certificate is None else "certified"


def _coverage(definition: Definition, progress: Progress) -> float:
    """Share of the archive that the largest certified region accepts."""
    if progress.threshold is None or not definition.archive:
        return 0.0
    return float((definition.scores >= progress.threshold).sum()) / definition.archive


async def _certificates(
    connection: AsyncConnection, states: dict[tuple[str, str], ClassState], now: datetime
) -> list[dict[str, Any]]:
    """The latest certificate of every class, its age, and whether it was revoked."""
    found = []
    for cls, end in sorted((await campaigns.certifying(connection)).items()):
        if end.certificate is None:
            continue
        state = states.get((cls, "revoked"))
        revoked = state is not None and state.active and state.certificate in (None, end.campaign)
        age = (now - end.certificate.issued_at).total_seconds() / 86_400
        plain = end.certificate.model_dump(mode="json", by_alias=True)
        found.append({**plain, "age_days": age, "revoked": revoked, "why": state.reason if state and revoked else None})
    return found
