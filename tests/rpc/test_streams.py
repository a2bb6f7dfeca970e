"""DecideStream and WatchVerdict: votes as they arrive, versions as they are committed, nothing twice, nothing left."""

from __future__ import annotations

import asyncio
from collections import Counter

import grpc
import pytest

from consensus import wire
from consensus.errors import StoreUnavailable
from consensus.types import Request, Verdict
from protos.consensus.v1 import consensus_service_pb2 as api
from tests.eventually import eventually
from tests.rpc.conftest import Gateway, question, running
from tests.rpc.details import failure, field_of
from tests.rpc.fake_worker import verdict_for, vote_for
from tests.rpc.test_decide import typed

Code = grpc.StatusCode


def stream(gateway: Gateway, request, timeout: float = 20.0):
    return gateway.decisions.DecideStream(api.DecideStreamRequest(request=request), timeout=timeout)


def watch(gateway: Gateway, request_id: str = "r-1", timeout: float = 20.0, **more: str):
    message = api.WatchVerdictRequest(request_id=request_id, **more)
    return gateway.decisions.WatchVerdict(message, timeout=timeout)


def tasks() -> Counter[str]:
    """Names of the tasks that run, but for those with which the Kafka clients fetch."""
    names = (getattr(task.get_coro(), "__qualname__", None) or "" for task in asyncio.all_tasks())
    return Counter(name for name in names if not name.startswith(("Fetcher.", "AIOKafka", "Event.")))


async def test_votes_arrive_before_the_verdict_and_the_verdict_ends_the_stream(served: Gateway) -> None:
    decide = asyncio.Event()

    async def answer(request: Request, headers: dict[str, bytes]) -> Verdict:
        assert headers["x-stream"] == b"1"
        await served.worker.vote(vote_for(request, "a"), headers)
        await decide.wait()
        return verdict_for(request)

    served.worker.answer = answer
    events = aiter(stream(served, question()))
    assert (await anext(events)).vote.entry.model == "a"
    decide.set()
    assert [event.WhichOneof("event") async for event in events] == ["verdict"]
    assert served.client.waiting == 0


async def test_votes_for_another_record_are_not_passed_on(served: Gateway) -> None:
    decide = asyncio.Event()

    async def answer(request: Request, headers: dict[str, bytes]) -> Verdict:
        await served.worker.vote(vote_for(request, "stranger"), {"x-call": b"another"})
        await served.worker.vote(vote_for(request, "ours"), headers)
        await decide.wait()
        return verdict_for(request)

    served.worker.answer = answer
    events = aiter(stream(served, question()))
    assert (await anext(events)).vote.entry.model == "ours"
    decide.set()
    assert [event.WhichOneof("event") async for event in events] == ["verdict"]


async def test_a_known_verdict_is_the_whole_stream(served: Gateway) -> None:
    known = wire.write(verdict_for(typed(question())))
    served.ledger.rows["default", "r-1"] = (known, wire.payload_hash(typed(question())))
    assert [event.verdict.request_id async for event in stream(served, question())] == ["r-1"]
    assert served.worker.seen == []


async def test_a_stream_ends_with_the_status_of_its_error(gateway: Gateway) -> None:
    error = await failure(stream(gateway, question(id="")).read())
    assert (error.code(), field_of(error)) == (Code.INVALID_ARGUMENT, "request.id")
    gateway.ledger.error = StoreUnavailable("the store does not answer")
    assert (await failure(stream(gateway, question()).read())).code() is Code.UNAVAILABLE


async def test_a_stream_without_a_verdict_ends_at_the_cap(broker: str) -> None:
    async with running(broker, max_deadline_ms=300) as gateway:
        assert (await failure(stream(gateway, question()).read())).code() is Code.DEADLINE_EXCEEDED
        await eventually(lambda: gateway.client.waiting == 0)


@pytest.mark.parametrize("start", [stream, lambda gateway, request: watch(gateway)])
async def test_a_stream_that_its_caller_leaves_is_left(gateway: Gateway, start) -> None:
    before = tasks()
    call = start(gateway, question())
    await eventually(lambda: gateway.client.waiting == 1)
    assert call.cancel()
    await eventually(lambda: gateway.client.waiting == 0)
    await eventually(lambda: tasks() == before)


async def test_watching_gives_the_committed_verdict_and_then_each_newer_one_once(served: Gateway) -> None:
    request = typed(question())
    first, second, third = (verdict_for(request, version=version) for version in (1, 2, 3))
    served.ledger.rows["default", "r-1"] = (wire.write(first), wire.payload_hash(request))
    call = watch(served)
    assert (await call.read()).verdict.version == 1
    for verdict in (first, second, second, verdict_for(request, version=9, tenant="another"), third):
        await served.worker.publish(request, verdict)
    assert [(await call.read()).verdict.version for _ in range(2)] == [2, 3]
    call.cancel()


async def test_watching_an_id_that_has_no_verdict_yet_waits_for_it(served: Gateway) -> None:
    call = watch(served, tenant="default")
    await eventually(lambda: served.client.waiting == 1)
    await served.decide(question())
    assert (await call.read()).verdict.version == 1
    call.cancel()


async def test_watching_ends_at_the_deadline(gateway: Gateway) -> None:
    assert (await failure(watch(gateway, timeout=0.3).read())).code() is Code.DEADLINE_EXCEEDED
    await eventually(lambda: gateway.client.waiting == 0)


async def test_watching_needs_an_id(gateway: Gateway) -> None:
    error = await failure(watch(gateway, request_id="").read())
    assert (error.code(), field_of(error)) == (Code.INVALID_ARGUMENT, "request_id")


async def test_get_verdict_answers_what_was_committed(gateway: Gateway) -> None:
    get = gateway.decisions.GetVerdict
    gateway.ledger.rows["one", "r-1"] = (wire.write(verdict_for(typed(question(tenant="one")))), "hash")
    gateway.ledger.rows["one", "in flight"] = (None, "hash")
    found = await get(api.GetVerdictRequest(tenant="one", request_id="r-1"))
    assert (found.verdict.tenant, found.verdict.version) == ("one", 1)
    for tenant, request_id in (("two", "r-1"), ("one", "in flight"), ("one", "unknown")):
        error = await failure(get(api.GetVerdictRequest(tenant=tenant, request_id=request_id)))
        assert (error.code(), error.details()) == (Code.NOT_FOUND, "no verdict is known for this id")
    error = await failure(get(api.GetVerdictRequest(tenant="", request_id="r-1")))
    assert (error.code(), field_of(error)) == (Code.INVALID_ARGUMENT, "tenant")
    gateway.ledger.error = StoreUnavailable("the store does not answer")
    assert (await failure(get(api.GetVerdictRequest(request_id="r-1")))).code() is Code.UNAVAILABLE
