"""ListAlarms through a real server, from a real store."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
import pytest_asyncio
from sqlalchemy.ext.asyncio import AsyncEngine

from calibration.store import alarms
from calibration.store.alarms import Alarm, subject_of
from calibration.store.engine import create_engine
from calibration.store.migrate import migrate
from consensus.alarms import Alarms
from consensus.kafka.client import Client
from consensus.ledger import Ledger
from consensus.metrics import Metrics
from consensus.rpc.server import Server
from consensus.settings import GrpcSettings, KafkaSettings
from protos.consensus.v1 import calibration_service_pb2 as api
from protos.consensus.v1.calibration_service_pb2_grpc import CalibrationServiceStub
from tests.rpc.details import failure, field_of

Code = grpc.StatusCode
NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


@pytest_asyncio.fixture
async def engine(tmp_path: Path) -> AsyncIterator[AsyncEngine]:
    """A migrated store with one alarm of each severity, the gravest the oldest."""
    engine = create_engine(f"sqlite+aiosqlite:///{tmp_path / 'store.sqlite'}")
    await migrate(engine)
    found = [
        Alarm(severity, f"code_{severity}", subject_of("default", f"r-{severity}"), "what was found", "c", at)
        for severity in range(4)
        for at in (NOW + timedelta(minutes=severity),)
    ]
    async with engine.begin() as connection:
        await alarms.add(connection, found)
    yield engine
    await engine.dispose()


@pytest_asyncio.fixture
async def listing(engine: AsyncEngine) -> AsyncIterator[Any]:
    """The method on a server of its own; alarms need no broker."""
    client = Client(KafkaSettings(), Metrics(), max_waiting=1)
    server = Server(
        GrpcSettings(listen="127.0.0.1:0", stop_grace_s=0.1),
        Metrics(),
        client,
        known=Ledger(engine),
        alarms=Alarms(engine, 60.0),
        policies={},
        snapshot=lambda: None,
    )
    async with AsyncExitStack() as stack:
        port = await server.start()
        stack.push_async_callback(server.drain)
        channel = await stack.enter_async_context(grpc.aio.insecure_channel(f"127.0.0.1:{port}"))
        yield CalibrationServiceStub(channel).ListAlarms


async def test_all_of_them_newest_first(listing: Any) -> None:
    told = (await listing(api.ListAlarmsRequest(), timeout=60)).alarms
    assert [alarm.severity for alarm in told] == [3, 2, 1, 0]
    last = told[-1]
    assert (last.code, last.subject, last.summary) == ("code_0", '["default", "r-0"]', "what was found")
    assert last.alarm_id == Alarm(0, "code_0", "", "", "c", NOW).id
    assert last.raised_at.ToDatetime(tzinfo=UTC) == NOW


@pytest.mark.parametrize(("most", "expected"), [(0, [0]), (1, [1, 0]), (3, [3, 2, 1, 0])])
async def test_only_those_at_least_as_grave(listing: Any, most: int, expected: list[int]) -> None:
    """Severity 0 is asked for by naming it, not by leaving it out."""
    told = (await listing(api.ListAlarmsRequest(max_severity=most), timeout=60)).alarms
    assert [alarm.severity for alarm in told] == expected


@pytest.mark.parametrize("severity", [-1, 4])
async def test_a_severity_that_does_not_exist_is_refused_by_its_field(listing: Any, severity: int) -> None:
    error = await failure(listing(api.ListAlarmsRequest(max_severity=severity), timeout=60))
    assert (error.code(), field_of(error)) == (Code.INVALID_ARGUMENT, "max_severity")


async def test_a_store_that_fails_is_unavailable_and_says_nothing_of_itself(listing: Any, engine: AsyncEngine) -> None:
    """A caller learns nothing of statements and tables."""
    async with engine.begin() as connection:
        await connection.exec_driver_sql("DROP TABLE alarms")
    error = await failure(listing(api.ListAlarmsRequest(), timeout=60))
    assert (error.code(), error.details()) == (
        Code.UNAVAILABLE,
        "the store failed while reading alarms: OperationalError",
    )
