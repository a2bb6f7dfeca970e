"""Structured logs: one line an event, with request and trace, and never with content.

Text that somebody else wrote (a request, an answer, the message of an exception) is not logged: of an exception only
its type and the places in the code are.
"""

from __future__ import annotations

import logging
import re
import sys
import traceback
from collections.abc import Iterable, MutableMapping
from typing import Any

import structlog
from structlog.typing import Processor

from consensus.settings import TelemetrySettings

TRACE_HEADER = "traceparent"
TRACEPARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")
"""W3C trace context, version 00."""

NO_TRACE = "0" * 32
LINE_CHARS = 300
"""Of what a library logs: its first line at most."""

Event = MutableMapping[str, Any]


def configure_logs(settings: TelemetrySettings) -> None:
    """Log to stderr, one event a line: JSON for machines, columns for people. Libraries' errors look like ours."""
    renderer: Any = structlog.processors.JSONRenderer()
    if settings.log_format == "console":
        renderer = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        without_messages,
    ]
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, settings.log_level.upper())),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=False,
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name, first_line],
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    logging.basicConfig(level=logging.ERROR, handlers=[handler])


def about(tenant: str, request_id: str, headers: Iterable[tuple[str, bytes]] = ()) -> None:
    """Whatever the running task logs from now on names this request, and the trace in its record's headers."""
    structlog.contextvars.bind_contextvars(tenant=tenant, request_id=request_id)
    of_trace(trace_id(headers))


def of_trace(trace: str | None) -> None:
    """Whatever the running task logs from now on names this trace, if there is one."""
    if trace is not None:
        structlog.contextvars.bind_contextvars(trace_id=trace)


def trace_id(headers: Iterable[tuple[str, bytes]]) -> str | None:
    """The trace that a record or a call belongs to: 32 hex digits of its ``traceparent``; None without a valid one."""
    value = next((value for name, value in headers if name == TRACE_HEADER), b"")
    found = TRACEPARENT.fullmatch(value.decode("ascii", "replace"))
    return found[1] if found is not None and found[1] != NO_TRACE else None


def without_messages(_logger: Any, _method: str, event: Event) -> Event:
    """Instead of an exception and its causes: their types and where they were raised, innermost last."""
    given = event.pop("exc_info", None)
    error = sys.exc_info()[1] if given is True else given[1] if isinstance(given, tuple) else given
    if isinstance(error, BaseException):
        event["exception"] = [_place(one) for one in _causes(error)]
    return event


def first_line(_logger: Any, _method: str, event: Event) -> Event:
    """What follows the first line of a library's message is a representation of values."""
    event["event"] = str(event["event"]).partition("\n")[0][:LINE_CHARS]
    return event


def _causes(error: BaseException) -> Iterable[BaseException]:
    seen: list[BaseException] = []
    one: BaseException | None = error
    while one is not None and one not in seen:
        seen.append(one)
        one = one.__cause__ or (None if one.__suppress_context__ else one.__context__)
    return reversed(seen)


def _place(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    where = " > ".join(f"{frame.filename}:{frame.lineno}" for frame in frames)
    return f"{type(error).__name__} at {where}" if where else type(error).__name__
