"""A real PostgreSQL for tests, from Debian's binaries: fresh data folder, free port, fsync off, dropped privileges."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg  # type: ignore[import-untyped]  # it ships no types
import pytest

SETTINGS = "-c fsync=off -c synchronous_commit=off -c full_page_writes=off -c listen_addresses=127.0.0.1"
START_SECONDS = 30


def binaries() -> Path | None:
    """The folder with the programs of the newest installed version, or None."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[4]))
    return found[-1].parent if found else None


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """A running server as ``host:port``; tests that need it are skipped where PostgreSQL is not installed."""
    folder = binaries()
    if folder is None:
        pytest.skip("PostgreSQL is not installed (no /usr/lib/postgresql/*/bin): its half of the tests is left out")
    with server(folder) as address:
        yield address


@contextmanager
def server(folder: Path) -> Iterator[str]:
    """Start a server for as long as the context lasts; yields ``host:port``. Superuser ``consensus``, no password."""
    home = Path(tempfile.mkdtemp(prefix="consensus-postgres-"))
    data, port = home / "data", _free_port()
    user = _unprivileged(home)
    control = (folder / "pg_ctl", "-D", data)
    try:
        _run(user, folder / "initdb", "-D", data, "-U", "consensus", "-A", "trust", "-N", "--locale=C.UTF-8")
        options = f"-p {port} -k {home} {SETTINGS}"
        _run(user, *control, "-w", "-t", START_SECONDS, "-l", home / "log", "-o", options, "start")
        try:
            yield f"127.0.0.1:{port}"
        finally:
            _run(user, *control, "-w", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(home, ignore_errors=True)


async def fresh_database(address: str) -> str:
    """Create an empty database on the server; returns its SQLAlchemy URL."""
    name = f"t{uuid.uuid4().hex}"
    connection = await asyncpg.connect(f"postgresql://consensus@{address}/postgres")
    try:
        await connection.execute(f"CREATE DATABASE {name}")
    finally:
        await connection.close()
    return f"postgresql+asyncpg://consensus@{address}/{name}"


def _unprivileged(home: Path) -> str | None:
    """The account to run as: PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return None
    account = pwd.getpwnam("postgres")
    os.chown(home, account.pw_uid, account.pw_gid)
    return "postgres"


def _run(user: str | None, *command: object) -> None:
    """Run to the end; output goes to a file because a started server would hold a pipe open."""
    with tempfile.TemporaryFile() as output:
        parts = [str(part) for part in command]
        done = subprocess.run(parts, user=user, cwd="/", stdout=output, stderr=output, check=False)
        output.seek(0)
        if done.returncode:
            raise RuntimeError(f"{parts[0]} failed: {output.read().decode(errors='replace')}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
