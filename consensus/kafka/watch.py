"""The watch over classes in the calibrator: the monitor of every certificate, and audits against plan."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import datetime, timedelta

import structlog

from calibration.campaign import CERTIFIED, End
from calibration.classes import ClassState
from calibration.monitor import Monitor
from calibration.snapshot import Snapshot, SnapshotCertificate
from calibration.store import alarms, campaigns, classes, outcomes, snapshots
from calibration.store.alarms import Alarm
from calibration.store.classes import Decided
from consensus import wire
from consensus.certificate import CERTIFIABLE
from consensus.errors import BrokerUnavailable
from consensus.kafka.pace import Pace
from consensus.ledger.transactions import Transactions
from consensus.truth import contradicts
from consensus.types import Outcome, Signal

MOST = 50_000
"""Audits of one certificate that are looked at."""

DELTA = 0.05
"""Probability with which a certificate that holds is ever revoked, over its whole life."""

COUNTED_S = 600.0
"""Audits are counted so often: it takes a look at every decision, and nothing about them is urgent."""

BY = "monitor"

logger = structlog.get_logger(__name__)

Record = Callable[[str, bytes], Awaitable[None]]
"""Puts a record on the snapshots topic."""


class Watch:
    """Looks at the audits of every certified class; revokes by a record that every worker follows.

    ``horizon_hours``: an audit without a label for so long counts as an error.
    """

    def __init__(
        self,
        transactions: Transactions,
        reading: Transactions,
        record: Record,
        horizon_hours: float,
        *,
        clock: Callable[[], float],
        now: Callable[[], datetime],
    ) -> None:
        self._transactions = transactions
        self._reading = reading
        self._record = record
        self._horizon = timedelta(hours=horizon_hours)
        self._clock = clock
        self._pace = Pace(clock)
        self._counted_at = clock() - COUNTED_S
        self._now = now
        self._revoked: set[str] = set()

    async def consider(self, *, news: bool) -> None:
        """Look at what is due, as `Campaigns.consider` does. Raises StoreUnavailable."""
        if not self._pace.begins(news=news):
            return
        try:
            await self._look()
        except BrokerUnavailable as error:
            logger.warning("revocations_wait", reason=str(error))
        finally:
            self._pace.ended()

    async def _look(self) -> None:
        async with self._reading.read("reading certificates") as connection:
            ends = await campaigns.certifying(connection)
            states = await classes.current(connection)
        for end in ends.values():
            state = states.get((end.class_, "revoked"))
            if state is None or not state.active or state.certificate != end.campaign:
                await self._monitor(end)
        if self._clock() >= self._counted_at + COUNTED_S:
            self._counted_at = self._clock()
            await self._count_audits()

    async def _monitor(self, end: End) -> None:
        certificate = end.certificate
        if certificate is None or end.campaign in self._revoked:
            return
        monitor = Monitor(alpha=certificate.alpha, delta=DELTA).after(await self._audits(end, certificate))
        if monitor.revokes:
            await self._revoke(end, monitor)

    async def _revoke(self, end: End, monitor: Monitor) -> None:
        found = f"{monitor.errors} of {monitor.audits} blind audits of accepted answers were wrong"
        plain = {"class": end.class_, "state": "revoked", "active": True, "reason": found, "by": BY}
        state = ClassState.model_validate({**plain, "at": self._now(), "certificate": end.campaign})
        await self._record(state.key, state.to_json())
        self._revoked.add(end.campaign)
        logger.error("certificate_revoked", cls=end.class_, campaign=end.campaign, reason=found)

    async def _audits(self, end: End, certificate: SnapshotCertificate) -> list[bool]:
        """Whether each audited answer was wrong, in the order of the draw, up to the first that may still be labelled.

        The order of arrival would not do: wrong answers may be reported sooner than right ones.
        """
        async with self._reading.read("reading audits") as connection:
            raw = await snapshots.current(connection, f"{CERTIFIED}{end.class_}")
            since = certificate.issued_at
            rows = await classes.decisions(connection, end.class_, since=since, audited=True, most=MOST)
            told = await outcomes.of_requests(connection, (row.request_id for row in rows))
        version = None if raw is None else Snapshot.from_json(raw).version
        drawn = [(row, wire.read_own(Signal, row.raw)) for row in rows]
        mine = [(row, signal) for row, signal in drawn if _under(certificate, version, signal)]
        return list(self._prefix([(row, _wrong(row, signal, told)) for row, signal in mine]))

    def _prefix(self, audits: Sequence[tuple[Decided, bool | None]]) -> Iterator[bool]:
        for row, wrong in audits:
            if wrong is None and self._now() - row.decided_at <= self._horizon:
                return
            yield wrong is not False

    async def _count_audits(self) -> None:
        """An alarm for every class whose audits are below plan, dated by the newest decision."""
        async with self._reading.read("counting audits") as connection:
            now = await classes.newest(connection)
            plans = [] if now is None else await classes.audit_plans(connection, now)
        behind = [
            Alarm(3, "audits_below_plan", plan.cls, f"{plan.audits} of {plan.needed} audits", plan.cls, now)
            for plan in plans
            if plan.behind and now is not None
        ]
        if behind:
            async with self._transactions.begin("raising alarms") as connection:
                await alarms.add(connection, behind)


def _under(certificate: SnapshotCertificate, version: str | None, signal: Signal) -> bool:
    """Whether the answer was accepted under this certificate, and not by any other exception."""
    sure = signal.confidence is not None and signal.confidence >= certificate.threshold
    return signal.snapshot_version == version and sure and signal.kind in CERTIFIABLE


def _wrong(row: Decided, signal: Signal, told: dict[tuple[str, str], list[outcomes.Recorded]]) -> bool | None:
    """Whether the accepted answer was wrong: by its label, else by what came back from users; ``None``: not known."""
    if row.observed_at is not None:
        return None if row.truth is None else row.truth != signal.candidates.index(signal.top)
    feedback = [one for one in told.get((row.tenant, row.request_id), []) if one.source == outcomes.FEEDBACK]
    return contradicts(signal, wire.read_own(Outcome, feedback[-1].raw).label) if feedback else None
