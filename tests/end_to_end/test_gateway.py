"""Callers who wait: gRPC through the real gateway, worker and provider, each a process of its own."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest

from consensus.demo import configuration
from consensus.demo.cases import Case, written
from consensus.demo.house import House, house
from consensus.rpc.convert import to_proto
from protos.consensus.v1 import consensus_service_pb2 as api
from protos.consensus.v1 import request_pb2, verdict_pb2
from protos.consensus.v1.consensus_service_pb2_grpc import ConsensusServiceStub
from tests.end_to_end.provider import calls, control
from tests.eventually import eventually

WAIT_S = 60.0
BUF = Path(sys.executable).with_name("buf")


@asynccontextmanager
async def served(folder: Path) -> AsyncIterator[House]:
    questions = configuration.truths(written(), folder / "questions.jsonl")
    async with house(folder, configuration.simulated, ["--questions", str(questions), "--pace", "0"]) as home:
        yield home


def asked(case: Case, request_id: str, **changes: Any) -> request_pb2.Request:
    request = case.request.model_copy(update={"id": request_id, **changes})
    return to_proto(request, request_pb2.Request)


@pytest.mark.timeout(400)
async def test_a_caller_gets_one_verdict_whatever_it_does(tmp_path: Path) -> None:
    case = written()[0]
    async with served(tmp_path) as home, grpc.aio.insecure_channel(home.settings.grpc.listen) as channel:
        stub = ConsensusServiceStub(channel)
        await _the_same_again(stub, home, case)
        await _another_payload(stub, case)
        await _a_deadline_before_any_answer(stub, home, case)
        await _without_protos(home)


async def _the_same_again(stub: Any, home: House, case: Case) -> None:
    """The same id and payload: the same verdict and no new model call."""
    first = await stub.Decide(api.DecideRequest(request=asked(case, "call-1")), timeout=WAIT_S)
    assert first.verdict.request_id == "call-1"
    assert first.verdict.status == verdict_pb2.STATUS_PENDING_REVIEW
    made = await calls(home)
    assert made >= 5
    again = await stub.Decide(api.DecideRequest(request=asked(case, "call-1")), timeout=WAIT_S)
    assert again == first
    assert await calls(home) == made


async def _another_payload(stub: Any, case: Case) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.Decide(api.DecideRequest(request=asked(case, "call-1", prompt="Something else?")), timeout=WAIT_S)
    assert caught.value.code() is grpc.StatusCode.ALREADY_EXISTS


async def _a_deadline_before_any_answer(stub: Any, home: House, case: Case) -> None:
    """The call ends DEADLINE_EXCEEDED; the request ends abstained, and GetVerdict finds that."""
    await control(home, model="*", hangs=True)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.Decide(api.DecideRequest(request=asked(case, "late", prompt="Too late?")), timeout=2.0)
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    found = []

    async def decided() -> bool:
        call = stub.GetVerdict(api.GetVerdictRequest(tenant="default", request_id="late"), timeout=5)
        if await call.code() is grpc.StatusCode.OK:
            found.append(await call)
        return bool(found)

    await eventually(decided, seconds=WAIT_S)
    assert found[0].verdict.status == verdict_pb2.STATUS_ABSTAINED
    assert list(found[0].verdict.reasons) == ["deadline_expired"]
    await control(home, model="*")


async def _without_protos(home: House) -> None:
    """A client that finds the service by reflection gets a verdict."""
    question = {"id": "curl-1", "domain": "law", "stakes": "STAKES_LOW", "prompt": "Is it?", "answer": {"boolean": {}}}
    process = await asyncio.create_subprocess_exec(
        *(str(BUF), "curl", "--protocol", "grpc", "--http2-prior-knowledge"),
        *("--data", json.dumps({"request": question})),
        f"http://{home.settings.grpc.listen}/consensus.v1.ConsensusService/Decide",
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(WAIT_S):
        out, err = await process.communicate()
    assert process.returncode == 0, err
    assert json.loads(out)["verdict"]["requestId"] == "curl-1"
