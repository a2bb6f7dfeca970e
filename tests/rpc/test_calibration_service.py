"""CalibrationService and ReviewService: the snapshot in use, outcomes on their way, what is not served."""

from __future__ import annotations

from datetime import UTC, datetime

import grpc
import numpy as np
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from calibration.ballots import Ballots
from calibration.fitting import fit
from calibration.snapshot import Snapshot, SnapshotCertificate
from consensus import wire
from consensus.errors import Malformed
from consensus.rpc.convert import from_proto
from consensus.types import Certificate, Outcome, OutcomeSource, Ruling, RulingDecision
from protos.consensus.v1 import calibration_pb2
from protos.consensus.v1 import calibration_service_pb2 as api
from protos.consensus.v1 import review_service_pb2 as review_api
from tests.rpc.conftest import PARTITIONS, Gateway
from tests.rpc.details import failure, field_of

Code = grpc.StatusCode
NOW = datetime(2025, 6, 1, tzinfo=UTC)


def snapshot() -> Snapshot:
    """Fitted on sixty ballots of two models in two domains, with one certificate."""
    n = 60
    truth = np.arange(n) % 2
    fitted = fit(
        Ballots(
            models=("a", "b"),
            families=("fa", "fb"),
            domains=tuple(("law", "health")[i % 2] for i in range(n)),
            answer_types=("choice",) * n,
            ids=tuple(f"r-{i}" for i in range(n)),
            votes=np.stack([truth, np.zeros(n, dtype=np.int64)], axis=1),
            candidates=np.full(n, 2),
            open_set=np.zeros(n, dtype=np.bool_),
            truth=truth,
            confidence=np.full((n, 2), np.nan),
        ),
        fitted_at=NOW,
    )
    assert fitted is not None
    certificate = SnapshotCertificate.model_validate(CERTIFICATE.model_dump(by_alias=True))
    return fitted.with_changes(certificates=(certificate,), suspended=("finance",))


CERTIFICATE = Certificate(
    class_="default",
    alpha=0.1,
    delta=0.05,
    n=500,
    method="growing_region",
    threshold=0.9,
    snapshot_version="s-1",
    issued_at=NOW,
    revoked_by="monitor",
)


async def test_before_anything_is_fitted_there_is_no_snapshot(gateway: Gateway) -> None:
    for call in (
        gateway.calibration.GetSnapshot(api.GetSnapshotRequest()),
        gateway.calibration.GetReliability(api.GetReliabilityRequest()),
    ):
        error = await failure(call)
        assert (error.code(), error.details()) == (Code.NOT_FOUND, "nothing has been fitted yet")


async def test_the_snapshot_in_use_is_told_and_given_whole(gateway: Gateway) -> None:
    gateway.snapshots.append(snapshot())
    told = (await gateway.calibration.GetSnapshot(api.GetSnapshotRequest())).snapshot
    assert Snapshot.from_json(told.json) == snapshot()
    assert (told.name, told.version, told.labels) == ("default", snapshot().version, 60)
    assert told.parent == snapshot().parent
    assert told.fitted_at.ToDatetime(tzinfo=UTC) == NOW
    assert (list(told.models), list(told.families)) == (["a", "b"], ["fa", "fb"])
    assert sorted(told.domains) == ["health", "law"]
    assert list(told.suspended) == ["finance"]
    assert from_proto(Certificate, told.certificates[0], "certificate") == CERTIFICATE


async def test_reliability_is_told_by_model_and_domain(gateway: Gateway) -> None:
    gateway.snapshots.append(snapshot())
    expected = {(row.model, row.domain): row for row in snapshot().reliability}
    get = gateway.calibration.GetReliability
    told = await get(api.GetReliabilityRequest())
    assert told.snapshot_version == snapshot().version
    assert {(row.model, row.domain) for row in told.reliability} == set(expected)
    (one,) = (await get(api.GetReliabilityRequest(model="a", domain="law"))).reliability
    row = expected["a", "law"]
    assert (one.mean, one.low, one.high, one.labels) == (row.mean, row.low, row.high, row.labels)
    assert {row.model for row in (await get(api.GetReliabilityRequest(model="b"))).reliability} == {"b"}
    assert list((await get(api.GetReliabilityRequest(model="nobody"))).reliability) == []


async def last(gateway: Gateway, topic: str, partitions: int = PARTITIONS):
    """The one record of a topic."""
    places = [TopicPartition(topic, p) for p in range(partitions)]
    consumer = AIOKafkaConsumer(bootstrap_servers=gateway.broker, auto_offset_reset="earliest")
    await consumer.start()
    try:
        consumer.assign(places)
        return await consumer.getone()
    finally:
        await consumer.stop()


async def test_an_outcome_is_produced_and_then_acknowledged(gateway: Gateway) -> None:
    message = calibration_pb2.Outcome(
        outcome_id="o-1", request_id="r-1", source=calibration_pb2.OUTCOME_SOURCE_AUDIT, propensity=0.02
    )
    message.label.string_value = "A"
    message.observed_at.FromDatetime(NOW)
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    call = gateway.calibration.RecordOutcome(
        api.RecordOutcomeRequest(outcome=message), metadata=(("traceparent", trace),)
    )
    await call
    record = await last(gateway, gateway.topics.outcomes)
    assert record.key == b"r-1"
    assert dict(record.headers) == {"schema-version": b"1", "traceparent": trace.encode()}
    assert wire.read(Outcome, record.value) == Outcome(
        outcome_id="o-1",
        request_id="r-1",
        label="A",
        source=OutcomeSource.AUDIT,
        propensity=0.02,
        observed_at=NOW,
    )


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({}, "outcome.source"),
        ({"source": "OUTCOME_SOURCE_GOLD"}, "outcome.observed_at"),
        ({"source": "OUTCOME_SOURCE_GOLD", "observed_at": NOW, "propensity": 0.0}, "outcome.propensity"),
        ({"source": "OUTCOME_SOURCE_GOLD", "observed_at": NOW, "request_id": "a\nb"}, "outcome.request_id"),
    ],
)
async def test_a_broken_outcome_is_refused_by_its_field(gateway: Gateway, changes, field: str) -> None:
    fields = {"outcome_id": "o-1", "request_id": "r-1"} | changes
    error = await failure(gateway.calibration.RecordOutcome(_outcome(fields)))
    assert (error.code(), field_of(error)) == (Code.INVALID_ARGUMENT, field)


def _outcome(fields) -> api.RecordOutcomeRequest:
    return api.RecordOutcomeRequest(outcome=calibration_pb2.Outcome(**fields))


async def test_what_is_not_served_says_so(gateway: Gateway) -> None:
    calls = [
        gateway.reviews.ListTasks(review_api.ListTasksRequest()),
        gateway.reviews.ClaimTask(review_api.ClaimTaskRequest()),
        gateway.reviews.RenewClaim(review_api.RenewClaimRequest()),
        gateway.reviews.ReleaseTask(review_api.ReleaseTaskRequest()),
        gateway.reviews.SubmitRuling(review_api.SubmitRulingRequest()),
    ]
    for call in calls:
        assert (await failure(call)).code() is Code.UNIMPLEMENTED


def ruling(task_id: str) -> Ruling:
    return Ruling(
        task_id=task_id,
        request_id="r-1",
        reviewer="ann",
        decision=RulingDecision.NONE_CORRECT,
        blind=True,
        decided_at=NOW,
    )


async def test_a_ruling_goes_to_the_partition_of_its_task(gateway: Gateway) -> None:
    await gateway.client.rule(ruling("1:abc"))
    record = await last(gateway, gateway.topics.rulings)
    assert (record.partition, record.key) == (1, b"r-1")
    assert wire.read(Ruling, record.value) == ruling("1:abc")


@pytest.mark.parametrize("task_id", ["abc", ":abc", "-1:abc", "2:abc", "١:abc"])
async def test_a_task_that_names_no_partition_is_refused(gateway: Gateway, task_id: str) -> None:
    with pytest.raises(Malformed, match="partition") as caught:
        await gateway.client.rule(ruling(task_id))
    assert caught.value.field == "task_id"
