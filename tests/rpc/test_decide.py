"""Decide through a real broker: one record, one verdict, the same id again, another payload, deadlines."""

from __future__ import annotations

import asyncio

import grpc
import pytest

from consensus import wire
from consensus.errors import Conflict, DeadLetter, Malformed, Poison, StoreUnavailable
from consensus.kafka.client import partition_of
from consensus.rpc.convert import from_proto
from consensus.types import Request, Verdict
from protos.consensus.v1 import consensus_service_pb2 as api
from protos.consensus.v1 import request_pb2, verdict_pb2
from tests.eventually import eventually
from tests.rpc.conftest import PARTITIONS, Gateway
from tests.rpc.details import field_of, failure, info_of
from tests.rpc.fake_worker import verdict_for


def question(request_id: str, prompt: str = "Is it?", **more: object) -> request_pb2.Request:
    """A small boolean request."""
    spec = request_pb2.AnswerSpec(boolean=request_pb2.BooleanSpec())
    return request_pb2.Request(
        id=request_id, domain="law", stakes=request_pb2.STAKES_HIGH, prompt=prompt, answer=spec, **more
    )


def decide(gateway: Gateway, request: request_pb2.Request, timeout: float = 20.0):
    return gateway.decisions.Decide(api.DecideRequest(request=request), timeout=timeout)


async def test_a_call_gets_the_verdict_on_its_own_record(served: Gateway, ids: str) -> None:
    response = await decide(served, question(ids))
    assert from_proto(Verdict, response.verdict, "verdict") == verdict_for(
        from_proto(Request, question(ids), "request")
    )
    (request, headers, partition), *others = served.worker.seen
    assert others == []
    assert request.id == ids
    assert request.tenant == "default"
    assert headers["schema-version"] == b"1"
    assert "x-stream" not in headers
    assert partition == partition_of("default", ids, PARTITIONS)
    assert served.client.waiting == 0
    assert served.metrics.value("gateway_calls", method="Decide", code="OK") == 1
