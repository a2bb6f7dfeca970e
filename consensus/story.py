"""Everything that is known about one decision, gathered from the ledger and the calibration store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from calibration.snapshot import Snapshot
from calibration.store import alarms, outcomes, signals, snapshots, verdicts
from calibration.store.outcomes import LabelRow
from consensus import wire
from consensus.ledger import Ledger
from consensus.ledger.claims import Claim
from consensus.ledger.transactions import Transactions
from consensus.types import Outcome, Request, Ruling, Signal, Verdict


@dataclass(frozen=True)
class Place:
    """Where a version stands on the verdicts topic, and its link of the audit chain in hex."""

    version: int
    partition: int
    offset: int
    chain: str


@dataclass(frozen=True)
class Truth:
    """An outcome, and the candidate that it names: an index, -1 none, -3 unusable, ``None`` without a signal."""

    outcome: Outcome
    candidate: int | None


@dataclass(frozen=True)
class Used:
    """The snapshot that a verdict used."""

    version: str
    fitted_at: datetime
    labels: int


@dataclass(frozen=True)
class Story:
    """One request from its record to its truth. ``request`` and ``claim`` are forgotten with the ledger's retention.

    ``verdicts`` are all versions, oldest first, at least one; of them ``unpublished`` are not known to be on the topic.
    """

    request: Request | None
    claim: Claim | None
    verdicts: tuple[Verdict, ...]
    unpublished: frozenset[int]
    places: tuple[Place, ...]
    signal: Signal | None
    rulings: tuple[Ruling, ...]
    truths: tuple[Truth, ...]
    label: LabelRow | None
    snapshot: Used | None
    alarms: tuple[dict[str, object], ...]

    @property
    def verdict(self) -> Verdict:
        """The newest version."""
        return self.verdicts[-1]


async def tell(engine: AsyncEngine, tenant: str, request_id: str, *, timeout_s: float = 10.0) -> Story | None:
    """The story of a request, ``None`` where no verdict on it is known. Raises StoreUnavailable."""
    ledger = Ledger(engine, timeout_s=timeout_s)
    claim = await ledger.claim_of(tenant, request_id)
    history = await ledger.decisions.history(tenant, request_id)
    rulings = await ledger.rulings.of(tenant, request_id)
    async with Transactions(engine, timeout_s).read("reading a decision") as connection:
        recorded = await verdicts.of_request(connection, tenant, request_id)
        kept = {row.version: row.raw for row in recorded if row.raw is not None}
        known = {version.version: version.verdict for version in history} | kept
        if not known:
            return None
        versions = tuple(wire.read(Verdict, known[number]) for number in sorted(known))
        raw_signals = await signals.of_request(connection, tenant, request_id)
        raw_signals = raw_signals or [version.signal for version in history if version.signal is not None]
        truths = await _truths(connection, tenant, request_id)
        return Story(
            request=next((wire.read(Request, v.request) for v in history if v.request is not None), None),
            claim=claim,
            verdicts=versions,
            unpublished=frozenset(v.version for v in history if not v.committed) - kept.keys(),
            places=tuple(Place(r.version, r.log_partition, r.log_offset, r.chain.hex()) for r in recorded),
            signal=wire.read(Signal, raw_signals[0]) if raw_signals else None,
            rulings=tuple(wire.read(Ruling, one.arrived.ruling) for one in rulings),
            truths=tuple(Truth(wire.read(Outcome, one.raw), one.truth) for one in truths),
            label=outcomes.adjudicate(truths),
            snapshot=await _used(connection, versions),
            alarms=tuple(await alarms.about(connection, alarms.subject_of(tenant, request_id))),
        )


async def _truths(connection: AsyncConnection, tenant: str, request_id: str) -> list[outcomes.Recorded]:
    found = await outcomes.of_requests(connection, [request_id])
    return found.get((tenant, request_id), [])


async def _used(connection: AsyncConnection, versions: Sequence[Verdict]) -> Used | None:
    """The snapshot of the first version: later ones are made by people."""
    name = versions[0].snapshot_version
    raw = await snapshots.raw(connection, name) if name is not None else None
    if raw is None:
        return None
    snapshot = Snapshot.from_json(raw)
    return Used(snapshot.version, snapshot.fitted_at, snapshot.labels)
