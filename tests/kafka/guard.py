"""Ends brokers whose test run was itself killed, and removes their folder: nothing outlives a run, however it ends."""

from __future__ import annotations

import subprocess
from pathlib import Path

ORPHANED = 'cat >/dev/null; setsid sh -c \'sleep 2; rm -rf -- "$0"\' "$1" & sleep 1; kill -9 0'
"""Waits for the end of our pipe, which the kernel closes with us; then everything in its process group is killed."""


class Guard:
    """A process beside the run. ``group`` is the process group that whatever it guards must be started in."""

    def __init__(self, folder: Path) -> None:
        self._process = subprocess.Popen(
            ["sh", "-c", ORPHANED, "guard", str(folder)], stdin=subprocess.PIPE, process_group=0
        )

    @property
    def group(self) -> int:
        return self._process.pid

    def dismiss(self) -> None:
        """What was guarded has been ended by its owner."""
        self._process.kill()
        self._process.communicate()
