"""The store away, slow or full while requests are claimed, answered and decided: partitions wait, nothing is lost."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from sqlalchemy import text

from tests.eventually import eventually
from tests.faults.proxy import Mode, Proxy, proxy
from tests.faults.rig import Rig, rig
from tests.kafka.cluster import Cluster, free_port
from tests.postgres import fresh_database

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(300)]


@asynccontextmanager
async def behind(kafka: Cluster, postgres: str, folder: Path, prefix: str) -> AsyncIterator[tuple[Rig, Proxy]]:
    """A rig whose workers reach PostgreSQL through a proxy; the test and its oracle do not."""
    host, port = postgres.split(":")
    url = await fresh_database(postgres)
    between = free_port()
    through = url.replace(postgres, f"127.0.0.1:{between}")
    async with (
        proxy(between, (host, int(port)), framed=False) as gate,
        rig(folder, kafka.bootstrap, prefix, store=url) as house,
    ):
        house.document["store"] = {"url": through, "timeout_s": 2.0}
        yield house, gate


@pytest.mark.parametrize("mode", [Mode.REFUSE, Mode.SWALLOW])
async def test_a_store_that_is_away_holds_everything_up_and_loses_nothing(
    kafka: Cluster, postgres: str, tmp_path: Path, prefix: str, mode: Mode
) -> None:
    """Away while requests are being decided and while others are to be claimed; back, it all goes on by itself."""
    async with behind(kafka, postgres, tmp_path, prefix) as (house, gate):
        worker = await house.start("worker")
        await house.order(latency_s=1.0)
        await house.send(house.request(f"deciding-{number}") for number in range(10))
        await house.asked(20)
        gate.turn(mode)
        await house.send(house.request(f"to-claim-{number}") for number in range(10))
        await eventually(lambda: "store failed while" in worker.tail(200), seconds=30)
        assert await house.unfinished() == 20
        gate.turn(Mode.PASS)
        await house.settled()
        evidence = await house.verify()
        assert len(evidence.of("verdicts")) == 20
        assert worker.returncode is None


async def test_a_full_store_holds_everything_up_and_loses_nothing(house_on_postgres: Rig) -> None:
    """PostgreSQL refuses every write, as it does when its disk is full, and then no longer."""
    house = house_on_postgres
    database = house.settings.store.url.rpartition("/")[2]
    worker = await house.start("worker")
    await house.send(house.request(f"before-{number}") for number in range(5))
    await house.settled()
    await refuse_writes(house, database, on=True)
    await house.send(house.request(f"during-{number}") for number in range(5))
    await eventually(lambda: "store failed while" in worker.tail(200), seconds=30)
    assert await house.unfinished() == 5
    await refuse_writes(house, database, on=False)
    await house.settled()
    evidence = await house.verify()
    assert len(evidence.of("verdicts")) == 10


async def refuse_writes(house: Rig, database: str, *, on: bool) -> None:
    """Make the database read-only or not, and end the sessions that do not know it yet."""
    async with house.engine.connect() as connection:
        await connection.execute(
            text(f"ALTER DATABASE {database} SET default_transaction_read_only = {str(on).lower()}")
        )
        await connection.commit()
        others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
        await connection.execute(text(f"{others} AND pid <> pg_backend_pid()"))


async def test_a_locked_store_holds_everything_up_and_loses_nothing(house: Rig) -> None:
    """Somebody holds SQLite's only lock for some seconds: claims wait, nothing fails."""
    await house.start("worker")
    async with house.engine.begin():
        await house.send(house.request(f"r-{number}") for number in range(10))
        await house.unmoved(seconds=3.0)
    await house.settled()
    evidence = await house.verify()
    assert len(evidence.of("verdicts")) == 10
