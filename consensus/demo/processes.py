"""The service's processes as the demonstration starts them: each on its own, watched, and stopped in order."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import socket
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import aiohttp

from consensus.demo.broker import die_with_parent
from consensus.errors import ConsensusError

READY_S = 120.0
STOP_S = 20.0


class ProcessFailed(ConsensusError):
    """A process of the demonstration ended, or did not become ready; the message ends with its last log lines."""


class Process:
    """One running command of this service; its log goes to a file."""

    def __init__(self, name: str, command: Sequence[str], log: Path, env: dict[str, str]) -> None:
        self.name = name
        self._command = command
        self._log = log
        self._env = env
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int:
        """Process id. Only after `start`."""
        if self._process is None:
            raise ProcessFailed(f"{self.name} was not started")
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """The exit code (negative: the signal that ended it), or None while it has not ended."""
        return None if self._process is None else self._process.returncode

    async def start(self) -> None:
        """Start the command with its output appended to the log."""
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **self._env},
                preexec_fn=die_with_parent if sys.platform == "linux" else None,
            )

    async def ready(self, address: str, timeout_s: float = READY_S) -> None:
        """Wait until ``http://address/readyz`` says so. Raises ProcessFailed when it ends first or takes too long."""
        deadline = asyncio.get_running_loop().time() + timeout_s
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2)) as session:
            while not await _is_ready(session, address):
                if self._process is not None and self._process.returncode is not None:
                    raise ProcessFailed(f"{self.name} ended with {self._process.returncode}\n{self.tail()}")
                if asyncio.get_running_loop().time() > deadline:
                    raise ProcessFailed(f"{self.name} was not ready after {timeout_s:g} s\n{self.tail()}")
                await asyncio.sleep(0.05)

    def kill(self) -> None:
        """kill −9: what a crash looks like."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()

    async def stop(self) -> int:
        """SIGTERM, and kill −9 when it does not leave in time. Returns the exit code."""
        if self._process is None:
            return 0
        if self._process.returncode is None:
            self._process.send_signal(signal.SIGTERM)
        try:
            return await asyncio.wait_for(self._process.wait(), STOP_S)
        except TimeoutError:
            self._process.kill()
            return await self._process.wait()

    def tail(self, lines: int = 15) -> str:
        """The last lines of the log."""
        text = self._log.read_text(encoding="utf-8", errors="replace") if self._log.exists() else ""
        return "\n".join(text.splitlines()[-lines:])


async def _is_ready(session: aiohttp.ClientSession, address: str) -> bool:
    try:
        async with session.get(f"http://{address}/readyz") as reply:
            return reply.status == 200
    except (aiohttp.ClientError, TimeoutError):
        return False


def command(name: str, config: Path, *extra: str) -> list[str]:
    """The command line of one of our own commands."""
    return [sys.executable, "-m", "consensus", name, "--config", str(config), *extra]


def free_port() -> int:
    """A port on loopback that nobody listens on now.

    Drawn from below the range from which the kernel takes ports of outgoing connections: one of those could take it
    before its process binds it.
    """
    for port in random.sample(range(20_000, 32_000), 100):
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise ProcessFailed("no port is free between 20,000 and 32,000")


@asynccontextmanager
async def running(process: Process, ready_at: str) -> AsyncIterator[Process]:
    """Start a process, wait until it is ready, and stop it at the end whatever happens."""
    try:
        await process.start()
        await process.ready(ready_at)
        yield process
    finally:
        await process.stop()
