"""Decide through a broker: one record, one verdict, the same id again, another payload, deadlines, errors."""

from __future__ import annotations

import asyncio

import grpc
import pytest
from structlog.contextvars import merge_contextvars
from structlog.testing import capture_logs

from consensus import wire
from consensus.errors import BrokerUnavailable, Conflict, DeadLetter, Malformed, Poison, StoreUnavailable
from consensus.kafka.client import partition_of
from consensus.rpc.convert import from_proto
from consensus.types import Request, Verdict
from protos.consensus.v1 import consensus_service_pb2 as api
from protos.consensus.v1 import request_pb2, verdict_pb2
from tests.eventually import eventually
from tests.rpc.conftest import PARTITIONS, Gateway, question, running
from tests.rpc.details import failure, field_of, info_of, retry_of
from tests.rpc.fake_worker import verdict_for

Code = grpc.StatusCode


def typed(request: request_pb2.Request) -> Request:
    return from_proto(Request, request, "request")


async def test_a_call_gets_the_verdict_on_its_own_record(served: Gateway) -> None:
    response = await served.decide(question())
    assert from_proto(Verdict, response.verdict, "verdict") == verdict_for(typed(question()))
    ((request, headers, partition),) = served.worker.seen
    assert (request.id, request.tenant, request.prompt) == ("r-1", "default", "Is it?")
    assert headers["schema-version"] == b"1"
    assert "x-stream" not in headers
    assert partition == partition_of("default", "r-1", PARTITIONS)
    assert served.client.waiting == 0
    assert served.metrics.value("gateway_calls", method="Decide", code="OK") == 1


async def test_calls_side_by_side_each_get_their_own_verdict(served: Gateway) -> None:
    responses = await asyncio.gather(*(served.decide(question(f"r-{i}")) for i in range(50)))
    assert [response.verdict.request_id for response in responses] == [f"r-{i}" for i in range(50)]
    assert {partition for _, _, partition in served.worker.seen} == {0, 1}


async def test_tenants_with_the_same_id_get_their_own_verdicts(served: Gateway) -> None:
    one, two = await asyncio.gather(*(served.decide(question("same", tenant=tenant)) for tenant in ("one", "two")))
    assert (one.verdict.tenant, two.verdict.tenant) == ("one", "two")


async def test_a_known_verdict_is_returned_without_producing_again(served: Gateway) -> None:
    known = verdict_for(typed(question()), version=2, supersedes=1)
    served.ledger.rows["default", "r-1"] = (wire.write(known), wire.payload_hash(typed(question())))
    response = await served.decide(question(deadline_ms=5000))
    assert response.verdict.version == 2
    assert served.worker.seen == []


async def test_another_payload_under_a_known_id_is_already_exists(served: Gateway) -> None:
    served.ledger.rows["default", "r-1"] = (None, wire.payload_hash(typed(question())))
    error = await failure(served.decide(question(prompt="Is it not?")))
    assert (error.code(), field_of(error), info_of(error)) == (Code.ALREADY_EXISTS, "request.id", "CONFLICT")
    assert served.worker.seen == []


async def test_a_claim_without_a_verdict_is_produced_again_and_awaited(served: Gateway) -> None:
    served.ledger.rows["default", "r-1"] = (None, wire.payload_hash(typed(question())))
    response = await served.decide(question())
    assert response.verdict.version == 1
    assert len(served.worker.seen) == 1


async def test_a_verdict_on_the_same_id_for_another_record_is_not_taken(served: Gateway) -> None:
    """Another payload under the same id came first: its verdict is not ours, our record's end is."""

    async def conflict(request: Request, headers: dict[str, bytes]) -> DeadLetter:
        await served.worker.publish(request, verdict_for(request), {"x-call": b"somebody else's"})
        await served.worker.publish(request, Conflict("not ours either"), {"x-call": b"somebody else's"})
        return Conflict("the id is known with another payload")

    served.worker.answer = conflict
    error = await failure(served.decide(question()))
    assert error.code() is Code.ALREADY_EXISTS
    assert error.details() == "the id is known with another payload"


@pytest.mark.parametrize(
    ("dead", "code", "reason"),
    [
        (Malformed("unknown policy", field="policy", code="unknown_policy"), Code.INVALID_ARGUMENT, "UNKNOWN_POLICY"),
        (Poison("in flight at 3 crashes"), Code.FAILED_PRECONDITION, "POISON"),
    ],
)
async def test_a_dead_letter_ends_the_call(served: Gateway, dead: DeadLetter, code: Code, reason: str) -> None:
    async def refuse(request: Request, headers: dict[str, bytes]) -> DeadLetter:
        return dead

    served.worker.answer = refuse
    error = await failure(served.decide(question()))
    assert (error.code(), info_of(error), error.details()) == (code, reason, str(dead))


async def test_the_deadline_of_the_call_caps_that_of_the_request(served: Gateway) -> None:
    await served.decide(question("longer", deadline_ms=600_000), timeout=20.0)
    await served.decide(question("shorter", deadline_ms=1_000), timeout=20.0)
    await served.decide(question("absent"), timeout=20.0)
    await served.decide(question("within the policy's"), timeout=120.0)
    deadlines = {request.id: request.deadline_ms for request, _, _ in served.worker.seen}
    assert 10_000 < (deadlines["longer"] or 0) <= 20_100
    assert deadlines["shorter"] == 1_000
    assert 10_000 < (deadlines["absent"] or 0) <= 20_100
    assert deadlines["within the policy's"] is None


async def test_a_call_without_a_deadline_leaves_the_request_its_own(served: Gateway) -> None:
    await served.decisions.Decide(api.DecideRequest(request=question("no deadline", deadline_ms=600_000)))
    await served.decisions.Decide(api.DecideRequest(request=question("none at all")))
    assert [request.deadline_ms for request, _, _ in served.worker.seen] == [600_000, None]


async def test_at_the_deadline_the_call_ends_and_the_request_goes_on(served: Gateway) -> None:
    go_on = asyncio.Event()

    async def slowly(request: Request, headers: dict[str, bytes]) -> Verdict:
        await go_on.wait()
        return verdict_for(request)

    served.worker.answer = slowly
    error = await failure(served.decide(question(), timeout=5.0))
    assert error.code() is Code.DEADLINE_EXCEEDED
    await eventually(lambda: served.client.waiting == 0)
    await eventually(lambda: len(served.worker.seen) == 1)
    again = served.decide(question())
    go_on.set()
    assert (await again).verdict.request_id == "r-1"


async def test_the_gateways_own_cap_ends_a_call_with_a_longer_deadline(broker: str) -> None:
    async with running(broker, max_deadline_ms=300) as gateway:
        error = await failure(gateway.decide(question(), timeout=30.0))
        assert error.code() is Code.DEADLINE_EXCEEDED
        assert "GetVerdict" in (error.details() or "")


async def test_a_cancelled_call_leaves_no_waiter(gateway: Gateway) -> None:
    call = gateway.decide(question())
    await eventually(lambda: gateway.client.waiting == 1)
    assert call.cancel()
    await eventually(lambda: gateway.client.waiting == 0)
    await eventually(lambda: gateway.metrics.value("gateway_calls", method="Decide", code="CANCELLED") == 1)
    assert gateway.metrics.value("gateway_calls", method="Decide", code="OK") in (None, 0)


async def test_without_the_store_the_answer_is_unavailable(served: Gateway) -> None:
    served.ledger.error = StoreUnavailable("the store does not answer")
    error = await failure(served.decide(question()))
    assert (error.code(), retry_of(error)) == (Code.UNAVAILABLE, 1)
    assert served.worker.seen == []


async def test_what_nobody_foresaw_is_internal_and_tells_nothing(
    served: Gateway, capsys: pytest.CaptureFixture[str]
) -> None:
    served.ledger.error = ValueError("a secret")
    error = await failure(served.decide(question()))
    assert (error.code(), error.details()) == (Code.INTERNAL, "internal error")
    logged = capsys.readouterr().out
    assert "call_failed" in logged
    assert "a secret" not in logged


async def test_more_waiters_than_allowed_are_refused(broker: str) -> None:
    async with running(broker, max_waiting=2) as gateway:
        calls = [gateway.decide(question(f"r-{i}")) for i in range(2)]
        await eventually(lambda: gateway.client.waiting == 2)
        assert gateway.metrics.value("gateway_waiting") == 2
        error = await failure(gateway.decide(question("r-3")))
        assert (error.code(), retry_of(error)) == (Code.RESOURCE_EXHAUSTED, 1)
        for call in calls:
            call.cancel()
        await eventually(lambda: gateway.client.waiting == 0)
        assert gateway.metrics.value("gateway_waiting") == 0


async def test_traceparent_goes_with_the_record_and_other_metadata_does_not(served: Gateway) -> None:
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    metadata = (("traceparent", trace), ("authorization", "Bearer secret"), ("x-call", "mine"))
    await served.decisions.Decide(api.DecideRequest(request=question()), metadata=metadata, timeout=20)
    ((_, headers, _),) = served.worker.seen
    assert headers["traceparent"] == trace.encode()
    assert "authorization" not in headers
    assert headers["x-call"] != b"mine"


async def test_a_trace_that_is_none_goes_nowhere(served: Gateway) -> None:
    """Metadata is as hostile as everything else that callers send."""
    metadata = (("traceparent", "00-my-own-trace"),)
    await served.decisions.Decide(api.DecideRequest(request=question()), metadata=metadata, timeout=20)
    ((_, headers, _),) = served.worker.seen
    assert "traceparent" not in headers


async def test_a_call_that_fails_is_logged_with_request_and_trace(gateway: Gateway) -> None:
    """Each call by its own, and without the words of the error."""
    gateway.ledger.error = RuntimeError("the patient's name")
    metadata = (("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),)
    with capture_logs(processors=[merge_contextvars]) as lines:
        key = {"tenant": "t", "request_id": "r-9"}
        await failure(gateway.decisions.GetVerdict(api.GetVerdictRequest(**key), metadata=metadata, timeout=20))
        await failure(gateway.decide(question("r-1"), timeout=20))
    named = [(found["event"], found["request_id"], found.get("trace_id")) for found in lines]
    assert named == [("call_failed", "r-9", "0af7651916cd43dd8448eb211c80319c"), ("call_failed", "r-1", None)]
    assert lines[0]["tenant"] == "t"
    assert "patient" not in str(lines)


async def test_a_verdict_of_ours_that_cannot_be_read_is_internal(served: Gateway) -> None:
    served.ledger.rows["default", "r-1"] = (b'{"request_id": 5}', wire.payload_hash(typed(question())))
    assert (await failure(served.decide(question()))).code() is Code.INTERNAL


async def test_a_stopped_client_ends_every_wait(gateway: Gateway) -> None:
    call = gateway.decide(question())
    await eventually(lambda: gateway.client.waiting == 1)
    await gateway.client.stop()
    assert (await failure(call)).code() is Code.UNAVAILABLE
    assert not gateway.client.ready
    with pytest.raises(BrokerUnavailable):
        await gateway.client.decide(typed(question()), deadline=asyncio.get_running_loop().time() + 5)


def test_the_partition_of_an_id_is_fixed() -> None:
    assert [partition_of("default", f"r-{i}", 6) for i in range(5)] == [1, 1, 4, 1, 5]
    assert partition_of("a", "bc", 1024) != partition_of("ab", "c", 1024)


async def test_the_verdict_proto_has_what_the_json_has(served: Gateway) -> None:
    response = await served.decide(question())
    assert response.verdict.status == verdict_pb2.STATUS_ACCEPTED
    assert response.verdict.answer.bool_value is True
    assert not response.verdict.HasField("confidence")
    assert response.verdict.disagreement.effective_votes_source == verdict_pb2.EFFECTIVE_VOTES_SOURCE_ASSUMED
