"""When the calibrator refits, and what becomes of the result."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from datetime import datetime

import structlog

from calibration.ballots import Ballots
from calibration.refit import Refit, refit
from calibration.snapshot import Snapshot
from calibration.store import alarms, outcomes, snapshots
from calibration.store.alarms import Alarm
from calibration.store.gathering import Gathering, gather
from consensus.errors import Retry, SnapshotRefused
from consensus.kafka.snapshots import NAME, readable
from consensus.ledger.transactions import Transactions
from consensus.metrics import Metrics
from consensus.settings import DriftSettings

COUNT_SPACING = 20

COUNT_S = 30.0
"""Bound of counting: ingestion waits for it, and a store that has gone silent must not hold that up for long."""

STALE_S = 5.0
"""After this long the outcomes are counted without news: other members of the group ingest some of them."""

logger = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Trigger:
    """When enough has changed. ``evidence`` counts the outcomes that may fit; corrections count as well."""

    labels: int
    interval_s: float

    def due(self, evidence: int, fitted: int, elapsed_s: float) -> bool:
        """Whether ``evidence`` − ``fitted`` new outcomes, the oldest at most ``elapsed_s`` old, call for a refit."""
        new = evidence - fitted
        return new >= self.labels or (new > 0 and elapsed_s >= self.interval_s)


class Refits:
    """Refits one at a time, away from the event loop.

    ``reading``: transactions that may take as long as reading every label does. ``models``: configured names, the only
    columns of a fit. ``clock``: seconds.
    """

    def __init__(
        self,
        transactions: Transactions,
        reading: Transactions,
        settings: DriftSettings,
        publish: Callable[[Snapshot], Awaitable[None]],
        metrics: Metrics,
        *,
        clock: Callable[[], float],
        models: Collection[str] | None = None,
    ) -> None:
        self._transactions = transactions
        self._reading = reading
        self._trigger = Trigger(settings.refit_labels, settings.refit_interval_s)
        self._min_labels = settings.min_labels
        self._publish = publish
        self._metrics = metrics
        self._clock = clock
        self._models = models
        self._evidence = 0
        self._fitted = 0
        self._since = clock()
        self._news = True
        self._recount_at = self._stale_at = 0.0
        self._running: asyncio.Task[None] | None = None

    async def consider(self, *, news: bool) -> None:
        """Start a refit when one is due and none is running. ``news``: something was ingested since the last call.

        Raises StoreUnavailable.
        """
        self._news = self._news or news
        if self._running is not None and not self._running.done():
            return
        if self._clock() >= (self._recount_at if self._news else self._stale_at):
            await self._count()
        if self._trigger.due(self._evidence, self._fitted, self._clock() - self._since):
            self._running = asyncio.create_task(self._attempt(self._evidence), name="refit")

    async def _count(self) -> None:
        """Count the outcomes, which takes longer the more there are, for at most a twentieth of the time."""
        begun = self._clock()
        async with self._reading.read("counting outcomes", at_most_s=COUNT_S) as connection:
            self._evidence = await outcomes.evidence(connection)
        self._fitted = min(self._fitted, self._evidence)  # retention takes old outcomes away; what follows is new
        self._news = False
        now = self._clock()
        self._recount_at = now + COUNT_SPACING * (now - begun)
        self._stale_at = max(self._recount_at, now + STALE_S)

    async def stop(self) -> None:
        """Abandon a refit that is running: it has written nothing."""
        if self._running is not None:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)

    async def _attempt(self, evidence: int) -> None:
        """One refit. Whatever goes wrong in it must not stop the ingestion, so it ends here, loudly."""
        try:
            result = await self.refit()
        except Retry as error:
            logger.warning("refit_postponed", reason=str(error))
            result = "postponed"
        except Exception:
            logger.exception("refit_failed")
            result = "failed"
        self._metrics.count("refits", result=result)
        self._since = self._clock()
        if result != "postponed":
            self._fitted = evidence

    async def refit(self) -> str:
        """Fit, compare, publish: ``published``, ``refused``, ``unchanged`` or ``too_few_labels``."""
        current, gathering = await self._read()
        found = await asyncio.to_thread(self._fit, gathering, current)
        if found is None:
            return "too_few_labels"
        if await self._published_before(found.candidate):
            return "unchanged"
        if not found.accepted:
            await self._refuse(found)
            return "refused"
        await self._publish(found.candidate)
        logger.info("snapshot_published", version=found.candidate.version, labels=found.candidate.labels)
        return "published"

    async def _read(self) -> tuple[Snapshot | None, Gathering]:
        async with self._reading.read("reading labelled ballots") as connection:
            raw = await snapshots.current(connection, NAME)
            gathering = await gather(connection, self._models)
        return self._in_use(raw), gathering

    def _in_use(self, raw: bytes | None) -> Snapshot | None:
        """The published snapshot, unless no worker can use it: then any candidate is better."""
        if raw is None:
            return None
        try:
            return readable(raw, self._models)
        except SnapshotRefused:
            return None

    def _fit(self, gathering: Gathering, current: Snapshot | None) -> Refit | None:
        """Runs in a thread. The time of the newest label dates the snapshot, so that a replay finds the same one."""
        ballots: Ballots = gathering.ballots()
        if gathering.newest is None:
            return None
        return refit(ballots, current=current, fitted_at=gathering.newest, min_labels=self._min_labels, name=NAME)

    async def _published_before(self, candidate: Snapshot) -> bool:
        """A version that was published once is not published again by itself: somebody may have rolled it back."""
        async with self._reading.read("reading snapshots") as connection:
            return await snapshots.raw(connection, candidate.version) is not None

    async def _refuse(self, found: Refit) -> None:
        comparison = found.comparison
        if comparison is None:
            return
        detail = (
            f"{', '.join(comparison.reasons)} on {comparison.rows} held-out requests: log loss "
            f"{comparison.log_loss:.3f} (in use {comparison.log_loss_current:.3f}), calibration error "
            f"{comparison.ece:.3f} (in use {comparison.ece_current:.3f})"
        )
        logger.warning("candidate_refused", version=found.candidate.version, detail=detail)
        alarm = _refusal(found.candidate.version, detail, found.candidate.fitted_at)
        async with self._transactions.begin("raising an alarm") as connection:
            await alarms.add(connection, [alarm])


def _refusal(version: str, detail: str, at: datetime) -> Alarm:
    return Alarm(severity=3, code="candidate_refused", subject=version, detail=detail, cause=version, raised_at=at)
