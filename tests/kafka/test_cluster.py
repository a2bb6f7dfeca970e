"""The brokers of the tests themselves: a run that is killed leaves no process and no folder."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from tests.eventually import eventually
from tests.kafka.cluster import free_ports

OWNER = """
import subprocess, sys
from pathlib import Path
from tests.kafka.guard import Guard
guard = Guard(Path(sys.argv[1]))
child = subprocess.Popen(["sleep", "600"], process_group=guard.group)
print(child.pid, flush=True)
sys.stdin.read()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="setsid and /proc are Linux's")
async def test_a_killed_owner_takes_its_processes_and_its_folder_with_it(tmp_path: Path) -> None:
    """kill -9 of the owner: the kernel closes its pipe, and the guard does the rest."""
    folder = tmp_path / "data"
    folder.mkdir()
    owner = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", OWNER, str(folder)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    )
    assert owner.stdout is not None
    child = Path("/proc") / (await owner.stdout.readline()).decode().strip()
    assert running(child)
    owner.kill()
    await owner.wait()
    await eventually(lambda: not running(child))
    await eventually(lambda: not folder.exists())


def running(process: Path) -> bool:
    """Whether it is there and no zombie that nobody waits for."""
    try:
        return (process / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_ports_differ() -> None:
    """Also from those that are promised to somebody else."""
    taken = free_ports(50)
    assert not set(free_ports(50, taken)) & set(taken)
    assert len(set(taken)) == 50
