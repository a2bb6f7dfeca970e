"""The worker as most fault tests run it: ``python -m tests.faults.worker CONFIG [POINT NUMBER [SIGNAL]]``.

The real command with two things exchanged: models are asked over plain HTTP (`plain_models`), so that a start takes a
second and not many, and where a point of `death` is named, the process kills (SIGNAL SIGSTOP: freezes) itself there.
"""

from __future__ import annotations

import signal
import sys

from consensus.cli.options import run_process
from tests.faults import death, plain_models


def main(config: str, point: str | None = None, number: str = "1", sent: str = "SIGKILL") -> None:
    """Run until killed or told to stop."""
    sys.modules["consensus.models.litellm"] = plain_models
    if point is not None:
        (death.POINTS | death.RULING_POINTS)[point](death.Countdown(int(number), signal.Signals[sent]))
    run_process("worker", config)


if __name__ == "__main__":
    main(*sys.argv[1:])
