"""The embedded broker starts, answers, keeps its data and leaves nothing behind."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

import pytest

from consensus.demo import broker
from consensus.demo.broker import embedded_broker
from consensus.errors import BrokerUnavailable, ConfigError
from tests.eventually import eventually


async def connects(address: str) -> bool:
    host, port = address.split(":")
    try:
        _, writer = await asyncio.open_connection(host, int(port))
    except OSError:
        return False
    writer.close()
    await writer.wait_closed()
    return True


async def test_runs_for_as_long_as_the_context_lasts() -> None:
    """Its port accepts connections inside the context and refuses them after it."""
    async with embedded_broker() as address:
        assert address.startswith("127.0.0.1:")
        assert await connects(address)
    assert not await connects(address)


async def test_comes_back_under_its_port_and_folder(tmp_path: Path) -> None:
    """A fixed port and folder survive a restart."""
    async with embedded_broker(tmp_path) as address:
        port = int(address.split(":")[1])
    async with embedded_broker(tmp_path, port=port) as again:
        assert again == address


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child that its parent died")
async def test_dies_with_its_parent() -> None:
    """Killing the process that started it ends the broker too."""
    program = (
        "import asyncio\n"
        "from consensus.demo.broker import embedded_broker\n"
        "async def main():\n"
        "    async with embedded_broker() as address:\n"
        "        print(address, flush=True)\n"
        "        await asyncio.Event().wait()\n"
        "asyncio.run(main())\n"
    )
    parent = await asyncio.create_subprocess_exec(sys.executable, "-c", program, stdout=asyncio.subprocess.PIPE)
    assert parent.stdout is not None
    address = (await parent.stdout.readline()).decode().strip()
    assert await connects(address)
    parent.send_signal(signal.SIGKILL)
    await parent.wait()

    async def gone() -> bool:
        return not await connects(address)

    await eventually(gone)


async def test_a_program_that_exits_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """A binary that ends at once is reported, not waited for."""
    monkeypatch.setattr(broker, "binary", lambda: Path("/bin/false"))
    with pytest.raises(BrokerUnavailable, match="did not start"):
        async with embedded_broker():
            pass


def test_without_the_package_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the extra is not installed the error names it."""
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match="extra `demo`"):
        broker.binary()
