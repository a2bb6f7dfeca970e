"""Opening a campaign: snapshot, archive, order, start, budget and boundary are frozen before the first label."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from calibration import campaign, certificates
from calibration.campaign import Definition, Item
from calibration.snapshot import Snapshot
from calibration.store import campaigns, classes, snapshots
from calibration.store.classes import Decided
from consensus import wire
from consensus.archive import Rule, item
from consensus.certificate import rule_of
from consensus.errors import ConsensusError
from consensus.kafka.snapshots import NAME, Publisher
from consensus.ledger.tasks import Tasks
from consensus.ledger.transactions import Transactions
from consensus.policy import PanelPolicy, Policy
from consensus.types import Signal

ARCHIVE = 20_000
"""Requests of an archive at most, the latest."""

READ_S = 300.0


class NothingToCertify(ConsensusError):
    """A campaign cannot be opened; the message says what is missing."""


@dataclass(frozen=True)
class Wanted:
    """What is to be certified.

    ``delta`` is promised for all classes of the policy and all cycles of this class together; ``budget`` is in labels.
    """

    cls: str
    policy: Policy
    panel: PanelPolicy
    alpha: float
    delta: float
    budget: int
    horizon_hours: float


@dataclass(frozen=True)
class Opening:
    """A campaign that may be opened by publishing first the snapshot, then the definition.

    ``labels``: as many as may be asked for. ``would_do``: labels that would probably certify something, by the
    confidences; ``None``: no number would.
    """

    snapshot: Snapshot
    definition: Definition
    labels: int
    would_do: int | None

    @property
    def promising(self) -> bool:
        """Whether the labels are probably enough for something."""
        return self.would_do is not None and self.would_do <= self.labels


async def freeze(engine: AsyncEngine, wanted: Wanted, now: datetime) -> Opening:
    """Freeze a campaign on what the store holds. Raises NothingToCertify and StoreUnavailable."""
    reading = Transactions(engine, READ_S)
    async with reading.read("reading the archive") as connection:
        cycle = await _cycle(connection, wanted.cls)
        snapshot = await _in_use(connection)
        rows = await classes.decisions(connection, wanted.cls, since=snapshot.fitted_at, most=ARCHIVE)
    frozen = campaign.frozen(snapshot, wanted.cls)
    # Not the certified copy of the fit: under a certificate, votes that cannot change the route are not waited for.
    rule = Rule(frozen, wanted.policy, wanted.panel, {snapshot.version, snapshot.basis})
    askable = await Tasks(reading).askable([(row.tenant, row.request_id) for row in rows])
    fresh = [row for row in rows if _unfitted(row, snapshot) and (row.tenant, row.request_id) in askable]
    items = await asyncio.to_thread(_items, fresh, rule)
    if not any(one.score > 0 for one in items):
        raise NothingToCertify(
            f"none of {len(rows)} requests of {wanted.cls} decided since {snapshot.version} was fitted could be "
            "accepted by it: a campaign audits requests that the snapshot has not learned from"
        )
    definition = campaign.define(
        items,
        cls=wanted.cls,
        cycle=cycle,
        policy=wanted.policy.name,
        rule=rule_of(wanted.policy, wanted.panel),
        snapshot=frozen,
        alpha=wanted.alpha,
        delta=wanted.delta,
        classes=len(wanted.policy.class_names),
        budget=wanted.budget,
        opened_at=now,
        horizon_hours=wanted.horizon_hours,
    )
    return Opening(frozen, definition, wanted.budget, _would_do(items, definition))


async def publish(publisher: Publisher, opening: Opening) -> None:
    """Open the campaign: from now on it is the calibrator's. Raises BrokerUnavailable."""
    await publisher.publish(opening.snapshot)
    await publisher.record(opening.definition.key, opening.definition.to_json())


async def _cycle(connection: AsyncConnection, cls: str) -> int:
    """The number of the next campaign of a class."""
    earlier = await campaigns.all_ids(connection, cls)
    if running := set(earlier) & set(await campaigns.open_ids(connection)):
        raise NothingToCertify(f"the campaign {running.pop()} has not ended: one at a time for each class")
    return len(earlier) + 1


async def _in_use(connection: AsyncConnection) -> Snapshot:
    raw = await snapshots.current(connection, NAME)
    if raw is None:
        raise NothingToCertify("no snapshot has been published yet: a certificate binds a fitted snapshot")
    return Snapshot.from_json(raw)


def _unfitted(row: Decided, snapshot: Snapshot) -> bool:
    """A label that is older than the fit may have been learned from, whenever the request was decided."""
    return row.observed_at is None or row.observed_at > snapshot.fitted_at


def _items(rows: Sequence[Decided], rule: Rule) -> list[Item]:
    found = (item(wire.read_own(Signal, row.raw), rule) for row in rows)
    return [one for one in found if one is not None]


def _would_do(items: Sequence[Item], definition: Definition) -> int | None:
    scores = campaign.scores_of(items)
    return certificates.labels_needed(scores, alpha=definition.alpha, delta=definition.plan.delta)
