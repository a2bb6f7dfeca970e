"""Client options, bounds and the small parts between records and clients."""

from __future__ import annotations

import asyncio
import ssl
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.errors import KafkaConnectionError, ProducerFenced

from consensus import patience
from consensus.errors import BrokerUnavailable, ConfigError, Fenced, Malformed, StoreUnavailable
from consensus.kafka.connect import bounded, client_options, instance_id, membership, output_bytes
from consensus.kafka.messages import Incoming, echo, incoming, read_request, within
from consensus.kafka.slots import Slots
from consensus.patience import patiently
from consensus.settings import KafkaSettings

SASL = KafkaSettings(
    security_protocol="SASL_SSL", sasl_mechanism="SCRAM-SHA-512", sasl_username="u", sasl_password_env="KAFKA_PASSWORD"
)


def test_plain_options() -> None:
    """Without security there is an address and a bound."""
    options = client_options(KafkaSettings(bootstrap_servers="h:1"))
    assert options == {"bootstrap_servers": "h:1", "request_timeout_ms": 40_000, "security_protocol": "PLAINTEXT"}


def test_passwords_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The configuration names the variable; TLS checks the broker's name and certificate."""
    monkeypatch.setenv("KAFKA_PASSWORD", "hunter2")
    options = client_options(SASL)
    assert (options["sasl_plain_username"], options["sasl_plain_password"]) == ("u", "hunter2")
    assert options["sasl_mechanism"] == "SCRAM-SHA-512"
    context = options["ssl_context"]
    assert context.check_hostname
    assert context.verify_mode is ssl.CERT_REQUIRED


def test_a_missing_password_is_a_configuration_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """It says which key to look at."""
    monkeypatch.delenv("KAFKA_PASSWORD", raising=False)
    with pytest.raises(ConfigError, match=r"kafka\.sasl_password_env"):
        client_options(SASL)


def test_a_missing_certificate_is_a_configuration_error() -> None:
    """So is a file that is not there."""
    with pytest.raises(ConfigError, match=r"kafka\.ca_file"):
        client_options(KafkaSettings(security_protocol="SSL", ca_file="/nonexistent"))


def test_member_ids() -> None:
    """As configured, else host and command, so that one process per command and host is safe by default."""
    assert instance_id(KafkaSettings(instance_id="me"), "worker") == "me"
    assert instance_id(KafkaSettings(), "worker").endswith("-worker")


@pytest.mark.parametrize("session_ms", [500, 2_000, 10_000])
def test_a_member_shows_itself_well_within_its_session(session_ms: int) -> None:
    """The client library's own interval is 3 s whatever the session: such a member would be put out again and again."""
    assert membership(KafkaSettings(session_timeout_ms=session_ms))["heartbeat_interval_ms"] <= session_ms // 3


def test_outputs_may_be_larger_than_inputs() -> None:
    """A dead letter holds the whole input and more headers."""
    assert output_bytes(KafkaSettings(max_record_bytes=1_000)) > 2_000


async def test_every_call_is_bounded() -> None:
    """What the broker or the client reports becomes one of our errors."""

    async def raises(error: BaseException) -> None:
        raise error

    with pytest.raises(BrokerUnavailable, match=r"0\.01 s while looking"):
        await bounded(asyncio.Event().wait(), 0.01, "looking")
    with pytest.raises(BrokerUnavailable, match="KafkaConnectionError while looking"):
        await bounded(raises(KafkaConnectionError("secret address")), 1, "looking")
    with pytest.raises(BrokerUnavailable):
        await bounded(raises(ConnectionRefusedError()), 1, "looking")
    with pytest.raises(Fenced):
        await bounded(raises(ProducerFenced()), 1, "looking")


async def test_slots_are_first_come_first_served() -> None:
    """One slot is waited for, more are taken only when they are free."""
    slots = Slots(3)
    assert await slots.take(2) == 2
    assert await slots.take(5) == 1
    assert (slots.used, slots.full) == (3, True)
    first, second = asyncio.create_task(slots.take(2)), asyncio.create_task(slots.take(2))
    await asyncio.sleep(0)
    slots.give(1)
    assert await first == 1
    slots.give(2)
    assert await second == 2
    assert slots.used == 3


async def test_patience_has_no_end_but_a_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retry errors are tried again with growing delays; other errors come through at once."""
    delays: list[float] = []

    async def note(delay: float) -> None:
        delays.append(delay)

    monkeypatch.setattr(patience, "asyncio", SimpleNamespace(sleep=note))
    errors: list[Exception] = [StoreUnavailable("down")] * 8

    async def call() -> str:
        if errors:
            raise errors.pop()
        return "done"

    assert await patiently(call, "testing") == "done"
    assert delays == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]

    async def broken() -> str:
        raise LookupError

    with pytest.raises(LookupError):
        await patiently(broken, "testing")


def test_only_our_headers_are_echoed() -> None:
    """The trace, the caller's ``x-*`` headers and the schema version; nothing else."""
    headers = (
        ("traceparent", b"t"),
        ("x-a", b"1"),
        ("x-a", b"2"),
        ("X-B", b"3"),
        ("schema-version", b"0"),
        ("own", b""),
    )
    assert echo(headers) == (("schema-version", b"1"), ("traceparent", b"t"), ("x-a", b"1"), ("x-a", b"2"))


def test_a_clients_record() -> None:
    """Position, time in UTC, key, value and headers."""
    raw: Any = SimpleNamespace(
        topic="t",
        partition=1,
        offset=2,
        timestamp=1_700_000_000_500,
        key=None,
        value=b"v",
        headers=[("x-stream", b"1")],
    )
    record = incoming(raw)
    assert record.timestamp == datetime(2023, 11, 14, 22, 13, 20, 500_000, tzinfo=UTC)
    assert record.streams
    assert record == Incoming("t", 1, 2, record.timestamp, None, b"v", (("x-stream", b"1"),))


def test_large_records_are_not_read() -> None:
    """The limit comes before the parser."""
    record = Incoming("t", 0, 0, datetime.now(UTC), None, b"x" * 101)
    assert within(record, 101) == record.value
    with pytest.raises(Malformed, match="101 bytes") as caught:
        read_request(record, 100)
    assert caught.value.code == "too_large"
