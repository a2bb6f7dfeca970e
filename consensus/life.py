"""The life of a process: start, ready, run until a signal or the end of a task, then drain in order."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import structlog

from consensus.logs import configure_logs
from consensus.metrics import Metrics
from consensus.settings import TelemetrySettings
from consensus.telemetry import configure_sentry, probes

logger = structlog.get_logger(__name__)

Task = asyncio.Task[None]


def _always() -> bool:
    return True


@dataclass
class Health:
    """What the probes say. ``started`` from the start to the drain; ``able`` what the process itself knows of it."""

    started: bool = False
    able: Callable[[], bool] = _always

    def is_live(self) -> bool:
        """Whether the event loop turns: answering at all says so. What hangs ends the process by its own watchdog."""
        return True

    def is_ready(self) -> bool:
        """Whether work may be sent here."""
        return self.started and self.able()


@dataclass(frozen=True)
class Surroundings:
    """What every process has: its metrics and its health."""

    metrics: Metrics = field(default_factory=Metrics)
    health: Health = field(default_factory=Health)


Process = Callable[[Surroundings], AbstractAsyncContextManager[tuple[Task, ...]]]
"""Entering it starts the process and gives its tasks; leaving it drains and closes, each step within a bound."""


async def serve(name: str, telemetry: TelemetrySettings, process: Process) -> None:
    """Run ``process`` until SIGTERM or SIGINT, or until one of its tasks ends; raises what ended the task.

    A second signal leaves at once, without draining.
    """
    configure_logs(telemetry)
    configure_sentry(telemetry)
    stopping = _signals()
    around = Surroundings()
    health = around.health
    listening = probes(telemetry.listen, around.metrics, live=health.is_live, ready=health.is_ready)
    async with listening, process(around) as tasks:
        health.started = True
        logger.info("ready", process=name)
        try:
            await _first(stopping, tasks)
        finally:
            health.started = False
            logger.info("draining", process=name)


@asynccontextmanager
async def running(work: Coroutine[Any, Any, None]) -> AsyncIterator[Task]:
    """A task that is cancelled, and waited for, at the end."""
    task = asyncio.create_task(work)
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _first(stopping: asyncio.Event, tasks: tuple[Task, ...]) -> None:
    async with running(_wait(stopping)) as signalled:
        done, _ = await asyncio.wait([signalled, *tasks], return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            await task


async def _wait(event: asyncio.Event) -> None:
    await event.wait()


def _signals() -> asyncio.Event:
    stopping = asyncio.Event()

    def stop() -> None:
        if stopping.is_set():
            os._exit(1)  # whoever sends a second signal does not want to wait for the drain
        stopping.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop)
    return stopping
