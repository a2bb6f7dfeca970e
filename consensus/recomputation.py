"""Whether a stored decision is what its ballot, snapshot and policy determine: all three found by version, compared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine

from calibration.snapshot import Snapshot
from calibration.store import snapshots
from consensus.explain import inert
from consensus.ledger import Ledger
from consensus.ledger.transactions import Transactions
from consensus.policy import Policy
from consensus.recompute import Difference, Record, differences
from consensus.story import Story


@dataclass(frozen=True)
class Recomputation:
    """``missing``: what would be needed and is kept no longer; then nothing was compared."""

    missing: tuple[str, ...]
    differences: tuple[Difference, ...]

    @property
    def holds(self) -> bool:
        """Whether everything was there and came out as recorded."""
        return not self.missing and not self.differences


async def recompute(
    engine: AsyncEngine, story: Story, configured: Mapping[str, Policy], *, timeout_s: float = 10.0
) -> Recomputation:
    """Derive the decision of a story again. ``configured``: policies that are used where the store has none.

    Raises StoreUnavailable.
    """
    first = story.verdicts[0]
    policy = await _policy(engine, first.policy_version, configured, timeout_s)
    snapshot = await _snapshot(engine, first.snapshot_version, timeout_s)
    missing = []
    if first.version != 1:
        missing.append("version 1 of the verdict")
    if story.signal is None:
        missing.append("the signal")
    if policy is None:
        missing.append(f"policy {first.policy_version}")
    if snapshot is None and first.snapshot_version is not None:
        missing.append(f"snapshot {first.snapshot_version}")
    if missing or story.signal is None or policy is None:
        return Recomputation(tuple(missing), ())
    record = Record(story.verdicts, story.signal, story.rulings)
    return Recomputation((), tuple(differences(record, policy, snapshot)))


def tree(found: Recomputation) -> dict[str, Any]:
    """As JSON values."""
    return {
        "holds": found.holds,
        "missing": list(found.missing),
        "differences": [vars(difference) for difference in found.differences],
    }


def told(found: Recomputation) -> str:
    """In lines for a terminal; what models wrote is inert."""
    if found.missing:
        return f"RECOMPUTED not: missing {', '.join(inert(part, 80) for part in found.missing)}"
    if not found.differences:
        return "RECOMPUTED posterior, confidence, kind, route and certificate come out as recorded, to the last digit"
    lines = [f"RECOMPUTED {len(found.differences)} fields come out otherwise than recorded"]
    lines += [f"          {inert(d.field, 40)}: {_text(d.recorded)} → {_text(d.recomputed)}" for d in found.differences]
    return "\n".join(lines)


def _text(value: Any) -> str:
    return inert(str(value), 28)


async def _policy(
    engine: AsyncEngine, version: str, configured: Mapping[str, Policy], timeout_s: float
) -> Policy | None:
    stored = await Ledger(engine, timeout_s=timeout_s).policies.find(version)
    return stored or next((policy for policy in configured.values() if policy.version == version), None)


async def _snapshot(engine: AsyncEngine, version: str | None, timeout_s: float) -> Snapshot | None:
    if version is None:
        return None
    async with Transactions(engine, timeout_s).read("reading a snapshot") as connection:
        raw = await snapshots.raw(connection, version)
    return None if raw is None else Snapshot.from_json(raw)
