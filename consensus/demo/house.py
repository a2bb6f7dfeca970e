"""The whole service on one machine: broker, provider, worker, gateway and calibrator, each a process of its own."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from calibration.store.migrate import migrate
from consensus.app import store
from consensus.demo.broker import embedded_broker
from consensus.demo.configuration import PLACEHOLDER_KEY, for_process, write
from consensus.demo.processes import Process, command, free_port, running
from consensus.kafka.topic_admin import create_topics
from consensus.settings import Settings, load

SERVICES = ("worker", "gateway", "calibrator")

Configure = Callable[[str, str, Path, dict[str, int]], dict[str, Any]]
"""From broker address, provider address, folder and ports to a configuration."""


@dataclass
class House:
    """The running processes by name, the settings they share, and where their files are."""

    folder: Path
    settings: Settings
    configuration: dict[str, Any]
    ports: dict[str, int]
    provider: str
    processes: dict[str, Process] = field(default_factory=dict)

    def probe(self, name: str) -> str:
        """``host:port`` of a process's probes."""
        return f"127.0.0.1:{self.ports[name]}"

    async def start(self, name: str) -> Process:
        """Start a service, again under its own member id if it ran before, and wait until it is ready."""
        path = for_process(self.configuration, name, self.folder, self.ports)
        process = Process(name, command(name, path), self.folder / f"{name}.log", {PLACEHOLDER_KEY: "no-key-needed"})
        self.processes[name] = process
        await process.start()
        await process.ready(self.probe(name))
        return process


@asynccontextmanager
async def house(
    folder: Path, configure: Configure, provider_args: Sequence[str], *, broker: str | None = None
) -> AsyncIterator[House]:
    """Set everything up in ``folder`` and tear it down at the end. ``broker``: a Kafka to use instead of our own."""
    ports = {name: free_port() for name in (*SERVICES, "grpc", "provider")}
    async with AsyncExitStack() as stack:
        address = broker if broker is not None else await stack.enter_async_context(embedded_broker())
        provider = f"http://127.0.0.1:{ports['provider']}/v1"
        arguments = [sys.executable, "-m", "consensus.demo.provider", "--port", str(ports["provider"]), *provider_args]
        process = Process("provider", arguments, folder / "provider.log", {})
        await stack.enter_async_context(running(process, f"127.0.0.1:{ports['provider']}"))
        os.environ.setdefault(PLACEHOLDER_KEY, "no-key-needed")
        configuration = configure(address, provider, folder, ports)
        path = write(configuration, folder / "consensus.yaml")
        found = House(folder, load(str(path)), configuration, ports, provider)
        await create_topics(found.settings.kafka)
        async with store(found.settings) as engine:
            await migrate(engine)
        stack.push_async_callback(_stop, found)
        await asyncio.gather(*(found.start(name) for name in SERVICES))
        yield found


async def _stop(found: House) -> None:
    await asyncio.gather(*(process.stop() for process in found.processes.values()))
