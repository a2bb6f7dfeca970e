"""Campaigns in the calibrator: audit tasks in the frozen order, a few at a time, until there is a certificate or none.

Everything is derived from what is stored: the definition, the labels, the positions that went missing. A process that
dies between two steps is followed by one that takes the same step: task ids and certified snapshots come out the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Protocol

import structlog

from calibration import campaign, certificates
from calibration.campaign import CERTIFIED, FROZEN, Definition, End, Key, Missing
from calibration.certificates import Progress
from calibration.snapshot import Snapshot
from calibration.store import campaigns, snapshots, verdicts
from calibration.tally import Floats
from consensus import answers, wire
from consensus.ballot import Ballot
from consensus.decision import review_task
from consensus.errors import BrokerUnavailable
from consensus.kafka.messages import Outgoing, echo
from consensus.kafka.pace import Pace
from consensus.kafka.topics import Topics
from consensus.ledger.decisions import Version
from consensus.ledger.tasks import Tasks
from consensus.ledger.transactions import Transactions
from consensus.metrics import Metrics
from consensus.settings import ReviewSettings
from consensus.types import LabelValue, Request, ReviewTask, Signal

AT_ONCE = 16
"""Tasks of a campaign that wait for people at the same time."""

SPACING = 4
"""People wait for the next task: a campaign may take a fifth of the time."""

logger = structlog.get_logger(__name__)


class Publish(Protocol):
    """The part of `kafka.snapshots.Publisher` that campaigns need."""

    async def publish(self, snapshot: Snapshot) -> None:
        """Publish a snapshot under its name."""
        ...

    async def record(self, key: str, value: bytes) -> None:
        """Put a record on the snapshots topic."""
        ...

    async def send(self, record: Outgoing) -> None:
        """Put a record on any topic."""
        ...


@dataclass(frozen=True)
class Stand:
    """A running campaign: what it froze, its labels (float (items,), see `campaign.wrongs`), what went missing."""

    definition: Definition
    wrong: Floats
    missing: tuple[int, ...]

    @property
    def progress(self) -> Progress:
        """How far the walk has come."""
        return certificates.walk(self.definition.plan, self.definition.scores, self.wrong)


class Campaigns:
    """Advances all campaigns that run. ``clock``: seconds; ``now``: the time that tasks and ends are dated by."""

    def __init__(
        self,
        reading: Transactions,
        tasks: Tasks,
        publish: Publish,
        topics: Topics,
        review: ReviewSettings,
        metrics: Metrics,
        *,
        clock: Callable[[], float],
        now: Callable[[], datetime],
    ) -> None:
        self._reading = reading
        self._tasks = tasks
        self._publish = publish
        self._topics = topics
        self._review = review
        self._metrics = metrics
        self._pace = Pace(clock, SPACING)
        self._now = now
        self._definitions: dict[str, Definition] = {}
        self._sent: set[str] = set()
        self._said: dict[str, bytes] = {}
        self._deployed: set[str] = set()

    async def consider(self, *, news: bool) -> None:
        """Take the steps that are due. ``news``: something was ingested since the last call. Raises StoreUnavailable.

        A broker that is away only delays: nothing is forgotten, the next round says it again.
        """
        if not self._pace.begins(news=news):
            return
        try:
            await self._round()
        except BrokerUnavailable as error:
            logger.warning("campaigns_wait", reason=str(error))
        finally:
            self._pace.ended()

    async def _round(self) -> None:
        async with self._reading.read("reading campaigns") as connection:
            running = await campaigns.open_ids(connection)
            ends = await campaigns.certifying(connection)
        for ident in running:
            await self._advance(ident)
        for end in ends.values():
            await self._deploy(end)

    async def _advance(self, ident: str) -> None:
        stand = await self._stand(ident)
        definition, progress = stand.definition, stand.progress
        self._metrics.set("campaign_labels", progress.used, cls=definition.class_)
        self._metrics.set("campaign_regions", progress.regions, cls=definition.class_)
        if progress.finished:
            await self._finish(stand)
            return
        wanted = certificates.ahead(definition.plan, definition.scores, stand.wrong, AT_ONCE)
        late = await self._ask(definition, wanted)
        if late:
            positions = tuple(sorted({*stand.missing, *late}))
            gone = Missing.model_validate({"campaign": ident, "class": definition.class_, "positions": positions})
            await self._say(gone.key, gone.to_json())

    async def _finish(self, stand: Stand) -> None:
        """Say how it ended, once: the record is ingested like any other and is the truth from then on."""
        end = campaign.conclude(stand.definition, stand.wrong, self._now())
        if end.key in self._said:
            return
        await self._say(end.key, end.to_json())
        threshold = None if end.certificate is None else end.certificate.threshold
        logger.info("campaign_ended", campaign=end.campaign, threshold=threshold, labels=end.progress.used)

    async def _say(self, key: str, value: bytes) -> None:
        """Publish a record, unless this process has done so already."""
        if self._said.get(key) != value:
            await self._publish.record(key, value)
            self._said[key] = value

    async def _stand(self, ident: str) -> Stand:
        async with self._reading.read("reading a campaign") as connection:
            if ident not in self._definitions:
                found = await campaigns.definition(connection, ident)
                assert found is not None, "its id was read from its definition"
                self._definitions[ident] = found
            definition = self._definitions[ident]
            later = await campaigns.later(connection, ident)
            truths = await campaigns.truths(connection, (item.key for item in definition.items))
        return Stand(definition, campaign.wrongs(definition, truths, later.missing), later.missing)

    async def _ask(self, definition: Definition, positions: Sequence[int]) -> list[int]:
        """See to it that people are asked about these items; returns those whose label did not come in time."""
        keys = {position: definition.items[position].key for position in positions}
        firsts = await self._tasks.firsts(list(keys.values()))
        partitions = await self._partitions(list(keys.values()))
        wanted = [(partitions[key], firsts[key]) for key in keys.values() if key in firsts and key in partitions]
        tasks = await self._placed(wanted)
        for partition, version in wanted:
            await self._send(partition, tasks.get(version.key))
        horizon = timedelta(hours=definition.horizon_hours)
        overdue = partial(_overdue, opened=definition.opened_at, horizon=horizon, now=self._now())
        return [i for i, key in keys.items() if _forgotten(firsts.get(key)) or overdue(tasks.get(key))]

    async def _partitions(self, keys: Sequence[Key]) -> dict[Key, int]:
        """The partition of each request: its verdict lies on the one with the same number."""
        async with self._reading.read("reading verdicts") as connection:
            found = {key: await verdicts.of_request(connection, *key) for key in keys}
        return {key: records[0].log_partition for key, records in found.items() if records}

    async def _placed(self, wanted: Sequence[tuple[int, Version]]) -> Mapping[Key, ReviewTask]:
        """The task of each decision; those that have none get one."""
        made = {v.key: task for partition, v in wanted if v.review is None and (task := self._task(partition, v))}
        kept = await self._tasks.place(made)
        kept |= {version.key: version.review for _, version in wanted if version.review is not None}
        return {key: wire.read_own(ReviewTask, task) for key, task in kept.items()}

    def _task(self, partition: int, version: Version) -> bytes | None:
        """A task that looks like any other; ``None`` where the request is not kept any more."""
        if version.request is None or version.signal is None:
            return None
        request = wire.read_own(Request, version.request)
        labels = _labels(wire.read_own(Signal, version.signal))
        due = self._review.due_minutes[request.stakes]
        return wire.write(review_task(request, str(partition), labels, created_at=self._now(), due_minutes=due))

    async def _send(self, partition: int, task: ReviewTask | None) -> None:
        """Put a task on the topic, once for each life of this process: the same bytes under the same task id."""
        if task is None or task.task_id in self._sent:
            return
        key = task.request_id.encode()
        await self._publish.send(Outgoing(self._topics.reviews, partition, key, wire.write(task), echo(())))
        self._sent.add(task.task_id)

    async def _deploy(self, end: End) -> None:
        """Publish the certified snapshot of a class where it is not the one on the topic."""
        certificate = end.certificate
        if certificate is None or end.campaign in self._deployed:
            return
        async with self._reading.read("reading snapshots") as connection:
            deployed = await snapshots.current(connection, f"{CERTIFIED}{end.class_}")
            versions = await snapshots.history(connection, f"{FROZEN}{end.class_}")
            kept = [await snapshots.raw(connection, version) for version in versions]
        found = None if deployed is None else Snapshot.from_json(deployed).certificate(end.class_)
        if found is None or found.campaign != end.campaign:
            bases = [Snapshot.from_json(raw) for raw in kept if raw is not None]
            basis = next((one for one in bases if one.basis == certificate.snapshot_version), None)
            if basis is None:
                logger.error("frozen_snapshot_missing", campaign=end.campaign, version=certificate.snapshot_version)
                return
            await self._publish.publish(campaign.certified(basis, certificate))
            logger.info("certificate_published", campaign=end.campaign, threshold=certificate.threshold)
        self._deployed.add(end.campaign)


def _labels(signal: Signal) -> list[LabelValue]:
    """One label per cluster that somebody voted for."""
    ballot = Ballot(signal.ballot, signal.candidates, open_set=answers.candidates(signal.answer) is None)
    return [ballot.candidates[index] for index in sorted(ballot.votes())]


def _forgotten(version: Version | None) -> bool:
    """Whether the request can be shown to nobody any more."""
    return version is None or (version.review is None and version.request is None)


def _overdue(task: ReviewTask | None, *, opened: datetime, horizon: timedelta, now: datetime) -> bool:
    """Whether a label can no longer come in time. A task that was there before the campaign counts from its opening."""
    return now > (opened if task is None else max(task.created_at, opened)) + horizon
