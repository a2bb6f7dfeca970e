"""Records of the loop's topics → rows of the calibration store. Pure: nothing here touches Kafka or a database."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Annotated, NamedTuple

from pydantic import Field

from calibration import campaign
from calibration.campaign import CampaignInvalid
from calibration.classes import PREFIX as CLASS
from calibration.classes import ClassInvalid, ClassState
from calibration.rollback import PREFIX as ROLLBACK
from calibration.rollback import Rollback, RollbackInvalid
from calibration.snapshot import Snapshot, SnapshotInvalid
from calibration.store import campaigns
from calibration.store.alarms import Alarm
from calibration.store.campaigns import CampaignRow
from calibration.store.classes import ClassRow
from calibration.store.outcomes import OutcomeRow
from calibration.store.panels import Member
from calibration.store.rollbacks import RollbackRow
from calibration.store.signals import SignalRow
from calibration.store.snapshots import SnapshotRow
from calibration.store.verdicts import VerdictRow
from consensus import answers, wire
from consensus.aggregation import stratum, vote
from consensus.errors import Malformed
from consensus.kafka.topics import Topics
from consensus.types import Frozen, Identifier, Outcome, Signal, Time

STOPPED = {"revoked": (1, "certificate_revoked"), "suspended": (2, "class_suspended")}
"""Severity and code of the alarm of a class that stops accepting; a hold by hand is nobody's surprise."""


class Record(NamedTuple):
    """One record as it stands on a topic. ``timestamp_ms`` is the broker's, since 1970 UTC."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    timestamp_ms: int

    @property
    def position(self) -> str:
        """``topic/partition@offset``, for people."""
        return f"{self.topic}/{self.partition}@{self.offset}"

    @property
    def time(self) -> datetime:
        """Its timestamp, never before 1970."""
        return datetime.fromtimestamp(max(0, self.timestamp_ms) / 1000, UTC)


@dataclass
class Batch:
    """Rows read from some records, in the order of the records."""

    verdicts: list[VerdictRow] = field(default_factory=list)
    signals: list[SignalRow] = field(default_factory=list)
    outcomes: list[OutcomeRow] = field(default_factory=list)
    snapshots: list[SnapshotRow] = field(default_factory=list)
    campaigns: list[CampaignRow] = field(default_factory=list)
    classes: list[ClassRow] = field(default_factory=list)
    rollbacks: list[RollbackRow] = field(default_factory=list)
    alarms: list[Alarm] = field(default_factory=list)

    @property
    def touched(self) -> set[str]:
        """Request ids whose label may have changed."""
        return {row.request_id for row in self.signals} | {row.request_id for row in self.outcomes}

    @property
    def keys(self) -> set[tuple[str, str]]:
        """Tenant and id of every request that a record is about."""
        decided = {row.key[:2] for row in self.verdicts if row.key is not None}
        signalled = {(row.tenant, row.request_id) for row in self.signals}
        return decided | signalled | {(row.tenant, row.request_id) for row in self.outcomes}


def read(records: Iterable[Record], topics: Topics, models: Collection[str] | None = None) -> Batch:
    """Read records of the verdicts, signals, outcomes and snapshots topics; what cannot be read becomes an alarm.

    ``models``: the configured names; a snapshot that speaks of others is kept, but no worker uses it. ``None``: any.
    """
    batch = Batch()
    readers: dict[str, Callable[[Record, Batch], None]] = {
        topics.verdicts: _verdict,
        topics.signals: _signal,
        topics.outcomes: _outcome,
        topics.snapshots: partial(_snapshot, models=models),
    }
    for record in records:
        try:
            readers[record.topic](record, batch)
        except SnapshotInvalid as error:
            batch.alarms.append(_refused(record, str(error)))
        except (Malformed, CampaignInvalid, ClassInvalid, RollbackInvalid) as error:
            batch.alarms.append(_unreadable(record, str(error)))
    return batch


def fault_of(snapshot: Snapshot, models: Collection[str] | None) -> str | None:
    """Why no worker decides with a snapshot; ``None`` where it can be used. ``models``: as in `read`."""
    strangers = set(snapshot.models) - set(models) if models is not None else set()
    if strangers:
        return f"{snapshot.version} speaks of models that are not configured: {sorted(strangers)}"
    if any(snapshot.certificate(one.class_) is None for one in snapshot.certificates):
        return f"{snapshot.version} carries a certificate of another fit"
    return None


def _refused(record: Record, reason: str) -> Alarm:
    """Every worker refuses the record as well, by the same rules, and keeps what it has."""
    return Alarm(2, "snapshot_refused", record.position, reason, record.position, record.time)


def _unreadable(record: Record, reason: str) -> Alarm:
    return Alarm(
        severity=3,
        code="record_unreadable",
        subject=record.position,
        detail=reason,
        cause=record.position,
        raised_at=record.time,
    )


class _About(Frozen):
    """What the chain needs to know of a verdict: its ballot comes with the signal, and would cost the most here."""

    request_id: Identifier
    tenant: Identifier
    version: Annotated[int, Field(ge=1)]
    decided_at: Time


def _verdict(record: Record, batch: Batch) -> None:
    """Every record joins the chain, readable or not: a gap would look like a deletion."""
    raw = record.value or b""
    try:
        verdict = wire.read_own(_About, record.value)
    except Malformed:
        batch.verdicts.append(VerdictRow(record.partition, record.offset, None, None, None, None, raw))
        raise
    known = (verdict.tenant, verdict.request_id, verdict.version, verdict.decided_at)
    batch.verdicts.append(VerdictRow(record.partition, record.offset, *known, raw))


def _signal(record: Record, batch: Batch) -> None:
    signal = wire.read_own(Signal, record.value)
    if any(entry.cluster is not None and not 0 <= entry.cluster < len(signal.candidates) for entry in signal.ballot):
        raise Malformed("names no candidate", field="ballot.cluster")
    batch.signals.append(signal_row(signal, record.value or b""))


def signal_row(signal: Signal, raw: bytes) -> SignalRow:
    """The signal as a row of the store, its ballot coded as in `calibration.ballots`."""
    return SignalRow(
        event_id=signal.event_id,
        tenant=signal.tenant,
        request_id=signal.request_id,
        version=signal.version,
        domain=signal.domain,
        class_name=signal.class_,
        answer_type=stratum(signal.answer),
        open_set=answers.candidates(signal.answer) is None,
        candidates=len(signal.candidates),
        members=tuple(Member(e.model, e.family, e.model_version, e.confidence_source) for e in signal.ballot),
        votes=[vote(entry) for entry in signal.ballot],
        confidences=[math.nan if e.raw_confidence is None else e.raw_confidence for e in signal.ballot],
        prompt_hash=signal.prompt_hash,
        status=signal.status,
        decided_at=signal.decided_at,
        raw=raw,
        audited=signal.audit.selected,
    )


def _outcome(record: Record, batch: Batch) -> None:
    batch.outcomes.append(outcome_row(wire.read(Outcome, record.value)))


def outcome_row(outcome: Outcome) -> OutcomeRow:
    """The outcome as a row of the store; the same content is the same row, however it was written."""
    raw = wire.write(outcome)
    return OutcomeRow(
        digest=hashlib.sha256(raw).hexdigest(),
        outcome_id=outcome.outcome_id,
        tenant=outcome.tenant,
        request_id=outcome.request_id,
        source=outcome.source,
        propensity=outcome.propensity,
        observed_at=outcome.observed_at,
        raw=raw,
    )


def _snapshot(record: Record, batch: Batch, models: Collection[str] | None) -> None:
    """Snapshots, and beside them campaigns, states of classes, rollbacks; without a value a key is taken away."""
    key = (record.key or b"").decode("utf-8", "replace")
    if record.value is None:
        return
    if key.startswith(campaign.PREFIX):
        batch.campaigns.append(campaigns.row_of(campaign.read(key, record.value), record.offset, record.value))
    elif key.startswith(CLASS):
        _class(record.offset, ClassState.from_json(record.value), record.value, batch)
    elif key.startswith(ROLLBACK):
        batch.rollbacks.append(RollbackRow(record.partition, record.offset, Rollback.from_json(record.value)))
    elif "/" not in key or key.startswith((campaign.CERTIFIED, campaign.FROZEN)):
        _published(record, record.value, batch, models)


def _class(offset: int, state: ClassState, raw: bytes, batch: Batch) -> None:
    batch.classes.append(ClassRow(offset, state.class_, state.state, state.at, raw))
    if state.active and state.state in STOPPED:
        severity, code = STOPPED[state.state]
        batch.alarms.append(
            Alarm(severity, code, state.class_, state.reason, state.key + state.at.isoformat(), state.at)
        )


def _published(record: Record, raw: bytes, batch: Batch, models: Collection[str] | None) -> None:
    snapshot = Snapshot.from_json(raw)
    fault = fault_of(snapshot, models)
    if fault is not None:
        batch.alarms.append(_refused(record, fault))
    batch.snapshots.append(
        SnapshotRow(
            version=snapshot.version,
            name=snapshot.name,
            fitted_at=snapshot.fitted_at,
            labels=snapshot.labels,
            log_partition=record.partition,
            log_offset=record.offset,
            raw=raw,
        )
    )
