"""Our errors → gRPC status with google.rpc details: which field, which code, when again.

INVALID_ARGUMENT     Malformed: BadRequest names the field
NOT_FOUND            NotFound: nothing under this name, or another tenant's
ALREADY_EXISTS       Conflict
FAILED_PRECONDITION  any other dead letter
RESOURCE_EXHAUSTED   Overloaded: RetryInfo
UNAVAILABLE          any other Retry (store or broker away): RetryInfo
DEADLINE_EXCEEDED    TimeoutError
UNIMPLEMENTED        NotImplementedError
INTERNAL             everything else, without a word about it: the details are in the log
"""

from __future__ import annotations

from typing import NoReturn

import grpc
from google.protobuf.any_pb2 import Any
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status

from consensus.errors import Conflict, ConsensusError, DeadLetter, Malformed, Overloaded, Retry

Context = grpc.aio.ServicerContext[Any, Any]
DETAILS = "grpc-status-details-bin"
"""Trailing metadata in which gRPC clients look for google.rpc.Status."""
RETRY_S = 1
FIXED = {
    grpc.StatusCode.INTERNAL: "internal error",
    grpc.StatusCode.DEADLINE_EXCEEDED: "no verdict yet; the request goes on: call again, or ask GetVerdict",
}
"""Messages that do not come from the error."""
DOMAIN = "consensus.v1"


class NotFound(ConsensusError):
    """Nothing is known under this name, or it is another tenant's."""


TABLE: tuple[tuple[type[Exception], grpc.StatusCode], ...] = (
    (NotFound, grpc.StatusCode.NOT_FOUND),
    (Malformed, grpc.StatusCode.INVALID_ARGUMENT),
    (Conflict, grpc.StatusCode.ALREADY_EXISTS),
    (DeadLetter, grpc.StatusCode.FAILED_PRECONDITION),
    (Overloaded, grpc.StatusCode.RESOURCE_EXHAUSTED),
    (Retry, grpc.StatusCode.UNAVAILABLE),
    (TimeoutError, grpc.StatusCode.DEADLINE_EXCEEDED),
    (NotImplementedError, grpc.StatusCode.UNIMPLEMENTED),
)


def code_of(error: Exception) -> grpc.StatusCode:
    """The status code of the first matching row of the table."""
    return next((code for kind, code in TABLE if isinstance(error, kind)), grpc.StatusCode.INTERNAL)


def status_of(error: Exception) -> Status:
    """The whole status, as it goes to the caller."""
    code = code_of(error)
    number, _ = code.value
    status = Status(code=number, message=FIXED.get(code) or str(error))
    for detail in _details(error):
        packed = Any()
        packed.Pack(detail)
        status.details.append(packed)
    return status


def _details(error: Exception) -> list[Message]:
    if isinstance(error, DeadLetter):
        info = ErrorInfo(reason=error.code.upper(), domain=DOMAIN)
        return [info] if error.field is None else [_violation(error.field, error.reason), info]
    if isinstance(error, Retry):
        return [RetryInfo(retry_delay=Duration(seconds=RETRY_S))]
    return []


def _violation(field: str, reason: str) -> BadRequest:
    return BadRequest(field_violations=[BadRequest.FieldViolation(field=field, description=reason)])


async def refuse(context: Context, error: Exception) -> NoReturn:
    """End the call with the error's status."""
    status = status_of(error)
    await context.abort(code_of(error), status.message, ((DETAILS, status.SerializeToString()),))
