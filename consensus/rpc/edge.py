"""The one interceptor around our services: bytes in, errors out, every call counted.

It takes parsing away from grpc, which would answer UNKNOWN to a broken message, and turns what a service raises into a
status. Interceptors that decide who may call stand before it.
"""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, NoReturn

import grpc
import structlog
from google.protobuf.descriptor_pool import Default
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from consensus import logs
from consensus.metrics import Metrics
from consensus.rpc.parse import parse
from consensus.rpc.status import Context, code_of, refuse
from consensus.rpc.tracing import trace

OWN = "/consensus.v1."

log = structlog.get_logger()

if TYPE_CHECKING:
    Handler = grpc.RpcMethodHandler[Any, Any]  # generic in its stubs only


class Edge(grpc.aio.ServerInterceptor):
    """Parses requests of at most ``max_bytes`` and answers errors, for the methods of our own package."""

    def __init__(self, max_bytes: int, metrics: Metrics) -> None:
        self._max_bytes = max_bytes
        self._metrics = metrics
        self._wrapped: dict[str, Handler] = {}

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler | None:
        method = handler_call_details.method
        handler = await continuation(handler_call_details)
        if handler is None or not method.startswith(OWN):
            return handler
        if method not in self._wrapped:
            self._wrapped[method] = _wrap(_Method(method, self._max_bytes, self._metrics), handler)
        return self._wrapped[method]


def _wrap(method: _Method, handler: Handler) -> Handler:
    """The handler without a deserializer, so that the method gets bytes."""
    serializer = handler.response_serializer
    if handler.unary_stream is not None:
        streaming: Any = method.streaming(handler.unary_stream)
        return grpc.unary_stream_rpc_method_handler(streaming, response_serializer=serializer)
    assert handler.unary_unary is not None, "no method of ours takes a stream"
    return grpc.unary_unary_rpc_method_handler(method.single(handler.unary_unary), response_serializer=serializer)


class _Method:
    """Wraps the behaviour of one method."""

    def __init__(self, path: str, max_bytes: int, metrics: Metrics) -> None:
        service, _, self._name = path.lstrip("/").partition("/")
        descriptor = Default().FindServiceByName(service).methods_by_name[self._name]
        self._kind: type[Message] = GetMessageClass(descriptor.input_type)
        self._max_bytes = max_bytes
        self._metrics = metrics

    def single(self, behaviour: Callable[..., Any]) -> Callable[[bytes, Context], Awaitable[Message]]:
        async def call(data: bytes, context: Context) -> Message:
            logs.of_trace(logs.trace_id(trace(context)))
            try:
                response: Message = await behaviour(self._parse(data), context)
            except asyncio.CancelledError:
                self._count(grpc.StatusCode.CANCELLED)
                raise
            except Exception as error:  # noqa: BLE001  (a caller gets a status for everything, and learns no more)
                await self._end(context, error)
            self._count(grpc.StatusCode.OK)
            return response

        return call

    def streaming(self, behaviour: Callable[..., Any]) -> Callable[[bytes, Context], AsyncIterator[Message]]:
        async def call(data: bytes, context: Context) -> AsyncIterator[Message]:
            logs.of_trace(logs.trace_id(trace(context)))
            try:
                async with aclosing(behaviour(self._parse(data), context)) as responses:
                    async for response in responses:
                        yield response
            except asyncio.CancelledError:
                self._count(grpc.StatusCode.CANCELLED)
                raise
            except Exception as error:  # noqa: BLE001  (a caller gets a status for everything, and learns no more)
                await self._end(context, error)
            self._count(grpc.StatusCode.OK)

        return call

    def _parse(self, data: bytes) -> Message:
        return parse(self._kind, data, self._max_bytes)

    async def _end(self, context: Context, error: Exception) -> NoReturn:
        code = code_of(error)
        self._count(code)
        if code is grpc.StatusCode.INTERNAL:
            # Without the error's text, which may hold what the caller sent.
            where = "".join(traceback.format_tb(error.__traceback__))
            log.error("call_failed", method=self._name, error=type(error).__name__, where=where)
        await refuse(context, error)

    def _count(self, code: grpc.StatusCode) -> None:
        self._metrics.count("gateway_calls", method=self._name, code=code.name)
