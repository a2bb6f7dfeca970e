"""The embedded broker of `consensus demo`: one process, loopback only, gone with its parent.

It speaks Kafka's protocol well enough for this service (transactions, read_committed, commit metadata), but it keeps
dead members and open transactions for ever: not for production, and nothing about crashes may be concluded from it.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import importlib.util
import os
import signal
import socket
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

from consensus.errors import BrokerUnavailable, ConfigError

START_SECONDS = 10.0
STOP_SECONDS = 5.0
ATTEMPTS = 3
"""Another process may take the free port before the broker binds it."""

PR_SET_PDEATHSIG = 1
PR_SET_NO_NEW_PRIVS = 38


@contextlib.asynccontextmanager
async def embedded_broker(folder: Path | None = None, *, port: int | None = None) -> AsyncIterator[str]:
    """Run the broker for as long as the context lasts; yields its ``host:port``.

    ``folder`` keeps the data (default: a fresh temporary folder), ``port`` is fixed where a broker must come back under
    the same address. Raises ConfigError where the package has no binary for this platform, BrokerUnavailable when it
    does not start.
    """
    program = binary()
    with contextlib.ExitStack() as stack:
        home = folder or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="consensus-broker-")))
        process, address = await _start(program, home, port)
        try:
            yield address
        finally:
            await _stop(process)


def binary() -> Path:
    """The packaged binary itself: the package's wrapper script would orphan it when killed."""
    spec = importlib.util.find_spec("noida_db")
    if spec is None or spec.origin is None:
        raise ConfigError(
            "kafka.bootstrap_servers", "no embedded broker is installed: install the extra `demo`, or name a broker"
        )
    name = "noida-db.exe" if os.name == "nt" else "noida-db"
    path = Path(spec.origin).with_name(name)
    if not path.is_file():
        raise ConfigError("kafka.bootstrap_servers", "no embedded broker for this platform: name a broker")
    if not os.access(path, os.X_OK):
        path.chmod(0o755)
    return path


async def _start(program: Path, home: Path, port: int | None) -> tuple[asyncio.subprocess.Process, str]:
    for _ in range(ATTEMPTS):
        chosen = port or _free_port()
        process = await _launch(program, home, chosen)
        if await _answers(process, chosen):
            return process, f"127.0.0.1:{chosen}"
        await _stop(process)
    raise BrokerUnavailable(f"the embedded broker did not start within {START_SECONDS:g} s")


async def _launch(program: Path, home: Path, port: int) -> asyncio.subprocess.Process:
    """Started with an empty environment, so that no secret of ours reaches it, and deaf to the terminal's Ctrl-C."""
    return await asyncio.create_subprocess_exec(
        str(program),
        *("start", "--only", "kafka", "--host", "127.0.0.1", "--kafka-port", str(port), "--data-dir", str(home)),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
        env={},
        cwd=home,
        start_new_session=True,
        preexec_fn=die_with_parent if sys.platform == "linux" else None,
    )


def die_with_parent() -> None:
    """Runs in the child before the binary: killed when its parent dies, and never more privileged than it."""
    libc = ctypes.CDLL(None)
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)


async def _answers(process: asyncio.subprocess.Process, port: int) -> bool:
    """Whether the port accepts connections before the deadline while our process, not another one, is alive."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(START_SECONDS):
            while process.returncode is None:
                if await _connects(port):
                    return process.returncode is None
                await asyncio.sleep(0.02)
    return False


async def _connects(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    await writer.wait_closed()
    return True


async def _stop(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    process.terminate()
    try:
        async with asyncio.timeout(STOP_SECONDS):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
