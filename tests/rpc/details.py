"""What a failed call says: code, text, the field named, the reason code."""

from __future__ import annotations

import grpc
import pytest
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status

from consensus.rpc.status import DETAILS


async def failure(call) -> grpc.aio.AioRpcError:
    """The error a call ends with."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return caught.value


def _detail(error: grpc.aio.AioRpcError, kind):
    for key, value in error.trailing_metadata() or ():
        if key == DETAILS:
            for packed in Status.FromString(value).details:
                if packed.Is(kind.DESCRIPTOR):
                    detail = kind()
                    packed.Unpack(detail)
                    return detail
    return None


def field_of(error: grpc.aio.AioRpcError) -> str | None:
    """The field that BadRequest names."""
    detail = _detail(error, BadRequest)
    return None if detail is None else detail.field_violations[0].field


def info_of(error: grpc.aio.AioRpcError) -> str | None:
    """The reason code of ErrorInfo."""
    detail = _detail(error, ErrorInfo)
    return None if detail is None else detail.reason


def retry_of(error: grpc.aio.AioRpcError) -> int | None:
    """Seconds after which RetryInfo says to try again."""
    detail = _detail(error, RetryInfo)
    return None if detail is None else detail.retry_delay.seconds
