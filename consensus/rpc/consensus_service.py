"""ConsensusService: decisions for callers who wait. It validates, asks the ledger, and hands over to Kafka."""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Protocol

from consensus import logs, wire
from consensus.errors import Conflict, Malformed
from consensus.json_limits import WHOLE
from consensus.kafka.client import Client, ours
from consensus.kafka.messages import Headers
from consensus.policy import Policy, select
from consensus.rpc.convert import from_proto, to_proto
from consensus.rpc.status import Context, NotFound
from consensus.rpc.tracing import trace
from consensus.types import Frozen, Identifier, Request, Verdict, Vote
from protos.consensus.v1 import consensus_service_pb2 as api
from protos.consensus.v1 import request_pb2, verdict_pb2
from protos.consensus.v1.consensus_service_pb2_grpc import ConsensusServiceServicer

AT = "request"
LARGE = 65_536
"""Bytes above which a request is checked beside the event loop: the largest take tens of milliseconds."""


class Known(Protocol):
    """What the ledger knows of an id."""

    async def verdict(self, tenant: str, request_id: str) -> tuple[bytes | None, str | None]:
        """The newest committed verdict and the payload hash the id was claimed with. Raises StoreUnavailable."""
        ...


class Key(Frozen):
    """Names one request in GetVerdict and WatchVerdict."""

    tenant: Identifier = "default"
    request_id: Identifier


@dataclass(frozen=True)
class Asked:
    """An admitted call: the request as it will be produced, and until when the call waits (the loop's clock)."""

    request: Request
    deadline: float
    headers: Headers


class ConsensusService(ConsensusServiceServicer):
    """``max_deadline_ms`` bounds the wait of every call, whatever deadline it has."""

    def __init__(self, client: Client, known: Known, policies: Mapping[str, Policy], *, max_deadline_ms: int) -> None:
        self._client = client
        self._known = known
        self._policies = dict(policies)
        self._max_wait_s = max_deadline_ms / 1000

    async def Decide(self, request: api.DecideRequest, context: Context) -> api.DecideResponse:
        asked = await self._admit(request.request, context)
        verdict = await self._decided(asked.request)
        if verdict is None:
            verdict = await self._client.decide(asked.request, deadline=asked.deadline, headers=asked.headers)
        return api.DecideResponse(verdict=to_proto(verdict, verdict_pb2.Verdict))

    async def DecideStream(
        self, request: api.DecideStreamRequest, context: Context
    ) -> AsyncIterator[api.DecideStreamResponse]:
        asked = await self._admit(request.request, context)
        verdict = await self._decided(asked.request)
        if verdict is not None:
            yield _event(verdict)
            return
        events = self._client.stream(asked.request, deadline=asked.deadline, headers=asked.headers)
        async with aclosing(events):
            async for event in events:
                yield _event(event)

    async def GetVerdict(self, request: api.GetVerdictRequest, context: Context) -> api.GetVerdictResponse:
        key = _key(request)
        value, _ = await self._known.verdict(key.tenant, key.request_id)
        if value is None:
            raise NotFound("no verdict is known for this id")
        return api.GetVerdictResponse(verdict=to_proto(ours(Verdict, value), verdict_pb2.Verdict))

    async def WatchVerdict(
        self, request: api.WatchVerdictRequest, context: Context
    ) -> AsyncIterator[api.WatchVerdictResponse]:
        key = _key(request)
        deadline = self._deadline(context)
        # Follow first, then ask the ledger: what is committed in between arrives twice and is passed on once.
        with self._client.watch(key.tenant, key.request_id) as watch:
            value, _ = await self._known.verdict(key.tenant, key.request_id)
            verdict = await watch.newer(0, deadline=deadline) if value is None else ours(Verdict, value)
            while True:
                yield api.WatchVerdictResponse(verdict=to_proto(verdict, verdict_pb2.Verdict))
                verdict = await watch.newer(verdict.version, deadline=deadline)

    async def _admit(self, message: request_pb2.Request, context: Context) -> Asked:
        """The call, its deadline put into the request. Raises Malformed as `_checked` does."""
        large = message.ByteSize() > LARGE
        request, policy = await asyncio.to_thread(self._checked, message) if large else self._checked(message)
        remaining_s = _remaining_s(context)
        if remaining_s * 1000 < (request.deadline_ms or policy.deadline_ms):
            request = request.model_copy(update={"deadline_ms": max(1, int(remaining_s * 1000))})
        logs.about(request.tenant, request.id)
        return Asked(request, self._deadline(context), trace(context))

    def _checked(self, message: request_pb2.Request) -> tuple[Request, Policy]:
        """The request and its policy. What a worker would dead-letter is refused here, with the field's path."""
        request = from_proto(Request, message, AT)
        try:
            # As the worker will read it, so that nothing is produced that would only become a dead letter.
            wire.read(Request, wire.write(request))
            return request, select(self._policies, request)
        except Malformed as error:
            raise Malformed(error.reason, field=_in_proto(error.field, request), code=error.code) from None

    async def _decided(self, request: Request) -> Verdict | None:
        value, known_hash = await self._known.verdict(request.tenant, request.id)
        if known_hash is not None and known_hash != wire.payload_hash(request):
            raise Conflict("the id is known with another payload", field=f"{AT}.id")
        return None if value is None else ours(Verdict, value)

    def _deadline(self, context: Context) -> float:
        return asyncio.get_running_loop().time() + min(_remaining_s(context), self._max_wait_s)


def _key(message: api.GetVerdictRequest | api.WatchVerdictRequest) -> Key:
    """Which request a call is about, named in its logs from here on. Raises Malformed."""
    key = from_proto(Key, message, "")
    logs.about(key.tenant, key.request_id)
    return key


def _remaining_s(context: Context) -> float:
    """Seconds until the call's deadline; infinite without one, for which grpc answers None."""
    remaining: float | None = context.time_remaining()
    return math.inf if remaining is None else remaining


def _event(event: Vote | Verdict) -> api.DecideStreamResponse:
    if isinstance(event, Vote):
        return api.DecideStreamResponse(vote=to_proto(event, verdict_pb2.Vote))
    return api.DecideStreamResponse(verdict=to_proto(event, verdict_pb2.Verdict))


def _in_proto(field: str | None, request: Request) -> str:
    """The path in DecideRequest of a field of the JSON record: the answer's type is a step of its own."""
    if field is None or field == WHOLE:
        return AT
    return f"{AT}.{re.sub('^answer[.]', f'answer.{request.answer.type}.', field)}"
