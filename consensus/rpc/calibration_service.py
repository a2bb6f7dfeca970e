"""CalibrationService: the snapshot in use and its reliabilities; ground truth on its way to the calibrator."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from calibration.snapshot import Snapshot
from calibration.store.alarms import LEAST
from consensus import logs
from consensus.alarms import Raised
from consensus.errors import Malformed
from consensus.kafka.client import Client
from consensus.rpc.convert import from_proto, to_proto
from consensus.rpc.status import Context, NotFound
from consensus.rpc.tracing import trace
from consensus.types import Outcome
from protos.consensus.v1 import calibration_pb2
from protos.consensus.v1 import calibration_service_pb2 as api
from protos.consensus.v1.calibration_service_pb2_grpc import CalibrationServiceServicer

LISTED = 500
"""Alarms in one answer."""


class Listed(Protocol):
    """Where alarms are kept."""

    async def newest(self, *, max_severity: int, limit: int) -> Sequence[Raised]:
        """The latest alarms at least as grave, newest first. Raises StoreUnavailable."""
        ...


class CalibrationService(CalibrationServiceServicer):
    """``snapshot`` gives the snapshot in use, ``None`` before anything has been fitted."""

    def __init__(self, client: Client, snapshot: Callable[[], Snapshot | None], alarms: Listed) -> None:
        self._client = client
        self._snapshot = snapshot
        self._alarms = alarms

    async def GetSnapshot(self, request: api.GetSnapshotRequest, context: Context) -> api.GetSnapshotResponse:
        snapshot = self._in_use()
        message = to_proto(snapshot, calibration_pb2.Snapshot)
        message.json = snapshot.to_json()
        return api.GetSnapshotResponse(snapshot=message)

    async def GetReliability(self, request: api.GetReliabilityRequest, context: Context) -> api.GetReliabilityResponse:
        snapshot = self._in_use()
        rows = [
            to_proto(row, calibration_pb2.Reliability)
            for row in snapshot.reliability
            if not request.HasField("model") or row.model == request.model
            if not request.HasField("domain") or row.domain == request.domain
        ]
        return api.GetReliabilityResponse(snapshot_version=snapshot.version, reliability=rows)

    async def RecordOutcome(self, request: api.RecordOutcomeRequest, context: Context) -> api.RecordOutcomeResponse:
        outcome = from_proto(Outcome, request.outcome, "outcome")
        logs.about(outcome.tenant, outcome.request_id)
        await self._client.record_outcome(outcome, headers=trace(context))
        return api.RecordOutcomeResponse()

    async def ListAlarms(self, request: api.ListAlarmsRequest, context: Context) -> api.ListAlarmsResponse:
        severity = request.max_severity if request.HasField("max_severity") else LEAST
        if not 0 <= severity <= LEAST:
            raise Malformed(f"is a severity from 0 to {LEAST}", field="max_severity")
        found = await self._alarms.newest(max_severity=severity, limit=LISTED)
        return api.ListAlarmsResponse(alarms=[_alarm(alarm) for alarm in found])

    def _in_use(self) -> Snapshot:
        snapshot = self._snapshot()
        if snapshot is None:
            raise NotFound("nothing has been fitted yet")
        return snapshot


def _alarm(alarm: Raised) -> calibration_pb2.Alarm:
    message = calibration_pb2.Alarm(
        alarm_id=alarm.id, severity=alarm.severity, code=alarm.code, subject=alarm.subject, summary=alarm.detail
    )
    message.raised_at.FromDatetime(alarm.raised_at)
    return message
