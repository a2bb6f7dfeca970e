"""What commands print: stdout is the answer alone."""

from __future__ import annotations

import json

import pytest
import structlog

from consensus.cli.options import run, show


async def _logging() -> dict[str, int]:
    structlog.get_logger().warning("something happened")
    return {"count": 1}


def test_logs_of_a_command_never_mix_with_its_json(capsys: pytest.CaptureFixture[str]) -> None:
    show(run(_logging()), "one", as_json=True)
    seen = capsys.readouterr()
    assert json.loads(seen.out) == {"count": 1}
    assert "something happened" in seen.err
