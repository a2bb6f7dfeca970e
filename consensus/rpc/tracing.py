"""The trace that a call belongs to: taken from its metadata, named in the logs, handed on to what is produced."""

from __future__ import annotations

from consensus import logs
from consensus.kafka.messages import Headers
from consensus.rpc.status import Context


def trace(context: Context) -> Headers:
    """The call's ``traceparent`` as headers of a record; nothing without a well-formed one."""
    metadata = context.invocation_metadata() or ()
    given = [(key, value.encode() if isinstance(value, str) else value) for key, value in metadata]
    found = tuple((key, value) for key, value in given if key == logs.TRACE_HEADER)
    return found[:1] if logs.trace_id(found) is not None else ()
