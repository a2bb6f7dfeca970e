"""The gateway before the real worker and the real ledger."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest_asyncio

from protos.consensus.v1 import consensus_service_pb2 as api
from protos.consensus.v1.consensus_service_pb2_grpc import ConsensusServiceStub
from tests.eventually import eventually
from tests.rpc.conftest import question
from tests.rpc.details import failure, field_of
from tests.rpc.whole import Pipeline, decide, whole

Code = grpc.StatusCode


@pytest_asyncio.fixture
async def service(broker: str, tmp_path: Path) -> AsyncIterator[tuple[ConsensusServiceStub, Pipeline]]:
    """Worker and gateway on topics and a store of their own."""
    async with whole(broker, tmp_path) as running:
        yield running


async def test_one_decision_however_often_it_is_asked(service) -> None:
    """In one call, in two at a time, again later: the same verdict, one decision; another payload is refused."""
    stub, pipeline = service
    pipeline.may.clear()
    both = [asyncio.create_task(decide(stub, question())) for _ in range(2)]
    await eventually(lambda: pipeline.decided)
    error = await failure(decide(stub, question(prompt="Is it not?")))
    assert (error.code(), field_of(error)) == (Code.ALREADY_EXISTS, "request.id")
    pipeline.may.set()
    first, second = await asyncio.gather(*both)
    third = await decide(stub, question(deadline_ms=9_000))
    assert first == second == third
    assert len(pipeline.decided) == 1
    error = await failure(decide(stub, question(prompt="Is it not?")))
    assert error.code() is Code.ALREADY_EXISTS


async def test_payloads_that_race_for_one_id_end_in_one_verdict_and_one_refusal(service) -> None:
    """Both are produced before either is claimed."""
    stub, pipeline = service
    calls = (decide(stub, question(prompt=prompt)) for prompt in ("Is it?", "Is it not?"))
    results = await asyncio.gather(*calls, return_exceptions=True)
    (verdict,) = [result for result in results if isinstance(result, api.DecideResponse)]
    (error,) = [result for result in results if isinstance(result, grpc.aio.AioRpcError)]
    assert verdict.verdict.request_id == "r-1"
    assert error.code() is Code.ALREADY_EXISTS
    assert len(pipeline.decided) == 1


async def test_a_call_that_timed_out_is_found_by_get_verdict(service) -> None:
    stub, pipeline = service
    pipeline.may.clear()
    error = await failure(decide(stub, question(), seconds=2.0))
    assert error.code() is Code.DEADLINE_EXCEEDED
    await eventually(lambda: pipeline.decided)
    assert 0 < (pipeline.decided[0].deadline_ms or 0) <= 2_000
    error = await failure(stub.GetVerdict(api.GetVerdictRequest(request_id="r-1")))
    assert error.code() is Code.NOT_FOUND
    pipeline.may.set()

    async def found() -> bool:
        with contextlib.suppress(grpc.aio.AioRpcError):
            return (await stub.GetVerdict(api.GetVerdictRequest(request_id="r-1"))).verdict.version == 1
        return False

    await eventually(found)
    error = await failure(stub.GetVerdict(api.GetVerdictRequest(request_id="r-1", tenant="another")))
    assert error.code() is Code.NOT_FOUND


async def test_votes_are_streamed(service) -> None:
    stub, pipeline = service
    pipeline.may.clear()
    events = aiter(stub.DecideStream(api.DecideStreamRequest(request=question()), timeout=30))
    assert [(await anext(events)).vote.entry.model for _ in range(2)] == ["a", "b"]
    pipeline.may.set()
    assert [event.WhichOneof("event") async for event in events] == ["verdict"]
