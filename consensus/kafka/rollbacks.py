"""Going back to an earlier snapshot: it is published again, and every process that follows the topic swaps to it."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from calibration.rollback import Rollback
from calibration.snapshot import Snapshot
from calibration.store import snapshots
from consensus.errors import SnapshotRefused
from consensus.kafka.snapshots import NAME, Publisher, readable
from consensus.ledger.transactions import Transactions
from consensus.settings import KafkaSettings

SHOWN = 5
"""Known versions that an error lists."""


async def roll_back(
    settings: KafkaSettings,
    store: Transactions,
    version: str | None,
    *,
    by: str,
    reason: str,
    at: datetime,
    models: Collection[str],
) -> Rollback:
    """Publish ``version`` (default: the one before the newest) again, after the record of who wanted it and why.

    Raises SnapshotRefused for a version that is unknown, in use, damaged, of another format or of models that are not
    configured; StoreUnavailable and BrokerUnavailable.
    """
    snapshot, instead_of = await _chosen(store, version, models)
    rollback = Rollback(name=NAME, version=snapshot.version, instead_of=instead_of, by=by, reason=reason, at=at)
    publisher = Publisher(settings)
    await publisher.start()
    try:
        await publisher.record(rollback.key, rollback.to_json())
        await publisher.publish(snapshot)
    finally:
        await publisher.stop()
    return rollback


async def _chosen(store: Transactions, version: str | None, models: Collection[str]) -> tuple[Snapshot, str]:
    """The snapshot to go back to, and the version that is in use."""
    async with store.read("reading snapshots") as connection:
        known = await snapshots.history(connection, NAME)
        if not known:
            raise SnapshotRefused("no snapshot was ever published: there is nothing to go back to")
        if version is None and len(known) < 2:
            raise SnapshotRefused(f"{known[0]} is the only snapshot: there is nothing to go back to")
        wanted = known[1] if version is None else version
        if wanted not in known:
            raise SnapshotRefused(f"{wanted} was never published; the latest are {', '.join(known[:SHOWN])}")
        if wanted == known[0]:
            raise SnapshotRefused(f"{wanted} is in use already")
        raw = await snapshots.raw(connection, wanted)
    return readable(raw or b"", models), known[0]
