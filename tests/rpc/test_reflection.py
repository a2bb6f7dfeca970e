"""A client that knows no proto: `buf curl` finds the service by reflection and gets a verdict."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from consensus.rpc.server import SERVICES
from tests.rpc.conftest import Gateway

BUF = Path(sys.executable).with_name("buf")

pytestmark = pytest.mark.skipif(not BUF.exists(), reason="buf is not installed beside this Python")


async def curl(gateway: Gateway, *args: str) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of ``buf curl``."""
    process = await asyncio.create_subprocess_exec(
        str(BUF), "curl", "--protocol", "grpc", "--http2-prior-knowledge", *args, stdout=-1, stderr=-1
    )
    async with asyncio.timeout(60):
        out, err = await process.communicate()
    return process.returncode or 0, out.decode(), err.decode()


def decide(gateway: Gateway, **changes: Any) -> tuple[str, ...]:
    request = {"id": "r-1", "domain": "law", "stakes": "STAKES_HIGH", "prompt": "Is it?", "answer": {"boolean": {}}}
    return "--data", json.dumps({"request": request | changes}), f"http://{gateway.address}/{SERVICES[0]}/Decide"


async def test_services_are_listed(gateway: Gateway) -> None:
    code, out, err = await curl(gateway, "--list-services", f"http://{gateway.address}")
    assert (code, err) == (0, "")
    assert set(SERVICES) <= set(out.split())


async def test_a_verdict_through_reflection(served: Gateway) -> None:
    code, out, err = await curl(served, *decide(served))
    assert (code, err) == (0, "")
    verdict = json.loads(out)["verdict"]
    assert (verdict["requestId"], verdict["status"], verdict["answer"]) == ("r-1", "STATUS_ACCEPTED", True)


async def test_an_error_through_reflection_names_the_field(served: Gateway) -> None:
    code, _, err = await curl(served, *decide(served, stakes=0))
    assert code != 0
    assert json.loads(err)["code"] == "invalid_argument"
    assert "request.stakes" in err
