"""What reaches stderr: one JSON value a line, with request and trace, without what somebody else wrote."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from consensus import logs
from consensus.settings import TelemetrySettings

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = f"00-{TRACE}-b7ad6b7169203331-01".encode()
SECRET = "the patient's name"


@pytest.fixture
def stderr(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """The stream that logs go to, with no handler but ours; everything as before at the end."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    root.handlers.clear()
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    logs.configure_logs(TelemetrySettings())
    yield stream
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.contextvars.clear_contextvars()


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


async def test_a_task_names_its_request_and_trace_and_other_tasks_do_not(stderr: io.StringIO) -> None:
    log = structlog.get_logger()

    async def deciding(id_: str, *headers: tuple[str, bytes]) -> None:
        logs.about("t", id_, headers)
        await asyncio.create_task(child(id_))

    async def child(id_: str) -> None:
        log.info("here", of=id_)

    first = asyncio.create_task(deciding("r1", ("traceparent", PARENT)))
    second = asyncio.create_task(deciding("r2"))
    await asyncio.gather(first, second)
    log.info("outside")
    found = {line.get("of"): line for line in lines(stderr)}
    assert (found["r1"]["tenant"], found["r1"]["request_id"], found["r1"]["trace_id"]) == ("t", "r1", TRACE)
    assert (found["r2"]["request_id"], "trace_id" in found["r2"]) == ("r2", False)
    assert not {"tenant", "request_id", "trace_id"} & found[None].keys()


@pytest.mark.parametrize(
    ("headers", "trace"),
    [
        ([("traceparent", PARENT)], TRACE),
        ([("x-a", b"1"), ("traceparent", PARENT), ("traceparent", b"00-1")], TRACE),
        ([], None),
        ([("traceparent", b"00-1-2-01")], None),
        ([("traceparent", PARENT + b"\n")], None),
        ([("traceparent", PARENT.upper())], None),
        ([("traceparent", b"\xff" * 55)], None),
        ([("traceparent", f"00-{'0' * 32}-b7ad6b7169203331-01".encode())], None),
    ],
)
def test_only_a_well_formed_trace_is_named(headers: list[tuple[str, bytes]], trace: str | None) -> None:
    """Headers are as hostile as everything else that comes in."""
    assert logs.trace_id(headers) == trace


def test_an_exception_is_its_types_and_places_without_its_words(stderr: io.StringIO) -> None:
    try:
        try:
            raise ValueError(SECRET)
        except ValueError as cause:
            raise RuntimeError(f"about {SECRET}") from cause
    except RuntimeError:
        structlog.get_logger().exception("refit_failed")
    [line] = lines(stderr)
    inner, outer = line["exception"]
    assert inner.startswith(f"ValueError at {__file__}:")
    assert outer.startswith(f"RuntimeError at {__file__}:")
    assert SECRET not in stderr.getvalue()


def test_a_librarys_error_is_one_line_like_ours(stderr: io.StringIO) -> None:
    """asyncio, for one, adds the representation of the exception that nobody looked at."""
    try:
        raise ValueError(SECRET)
    except ValueError:
        logging.getLogger("asyncio").exception("Task exception was never retrieved\nfuture: ValueError(%r)", SECRET)
    logging.getLogger("aiokafka").warning("not grave enough")
    [line] = lines(stderr)
    assert (line["event"], line["level"], line["logger"]) == ("Task exception was never retrieved", "error", "asyncio")
    assert line["exception"][0].startswith("ValueError at ")
    assert SECRET not in stderr.getvalue()


def test_lines_below_the_level_are_not_written(stderr: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", stderr)
    logs.configure_logs(TelemetrySettings(log_level="warning"))
    structlog.get_logger().info("small talk")
    structlog.get_logger().warning("trouble")
    assert [line["event"] for line in lines(stderr)] == ["trouble"]
