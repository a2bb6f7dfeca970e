"""How every client of this service reaches the brokers, and a bound on every call that it makes."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from collections.abc import Awaitable
from typing import Any, TypeVar

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.errors import KafkaError, ProducerFenced

from consensus.errors import BrokerUnavailable, ConfigError, Fenced
from consensus.settings import KafkaSettings

R = TypeVar("R")

HEARTBEATS_PER_SESSION = 3


def client_options(settings: KafkaSettings) -> dict[str, Any]:
    """Options of consumers, producers and admin clients. Raises ConfigError when a secret or a file is missing."""
    options: dict[str, Any] = {
        "bootstrap_servers": settings.bootstrap_servers,
        "request_timeout_ms": settings.request_timeout_ms,
        "security_protocol": settings.security_protocol,
    }
    if settings.security_protocol in ("SSL", "SASL_SSL"):
        options["ssl_context"] = _ssl_context(settings)
    if settings.security_protocol.startswith("SASL"):
        options["sasl_mechanism"] = settings.sasl_mechanism
        options["sasl_plain_username"] = settings.sasl_username
        options["sasl_plain_password"] = _password(settings)
    return options


def instance_id(settings: KafkaSettings, command: str) -> str:
    """The static group member id: as configured, else hostname and command."""
    return settings.instance_id or f"{socket.gethostname()}-{command}"


def group_consumer(settings: KafkaSettings, member: str) -> AIOKafkaConsumer:
    """A consumer of the worker's group, subscribed to nothing yet.

    It never commits: offsets are committed in the transactions of the lanes. Partitions of equal number go to the same
    member (range assignor), and an offset outside the log is an error, not a silent jump.
    """
    return AIOKafkaConsumer(
        group_id=settings.group,
        group_instance_id=member,
        client_id=member,
        enable_auto_commit=False,
        auto_offset_reset="none",
        isolation_level="read_committed",
        partition_assignment_strategy=(RangePartitionAssignor,),
        **membership(settings),
        **client_options(settings),
    )


def membership(settings: KafkaSettings) -> dict[str, int]:
    """When a member of a group is held to be gone; it shows itself several times within that."""
    return {
        "session_timeout_ms": settings.session_timeout_ms,
        "heartbeat_interval_ms": max(100, settings.session_timeout_ms // HEARTBEATS_PER_SESSION),
        "rebalance_timeout_ms": settings.rebalance_timeout_ms,
    }


def transactional_producer(settings: KafkaSettings, transactional_id: str) -> AIOKafkaProducer:
    """A producer whose initialisation fences whoever used the same id before."""
    return AIOKafkaProducer(
        transactional_id=transactional_id,
        client_id=transactional_id,
        transaction_timeout_ms=settings.transaction_timeout_ms,
        max_request_size=output_bytes(settings),
        **client_options(settings),
    )


def plain_producer(settings: KafkaSettings) -> AIOKafkaProducer:
    """A producer without transactions, for what may be lost."""
    return AIOKafkaProducer(acks=1, max_request_size=output_bytes(settings), **client_options(settings))


def admin_client(settings: KafkaSettings) -> AIOKafkaAdminClient:
    """A client that creates and looks; not started."""
    return AIOKafkaAdminClient(**client_options(settings))


def output_bytes(settings: KafkaSettings) -> int:
    """The largest record that is written: an input with its echo of headers, or a question with all its candidates."""
    return 2 * settings.max_record_bytes + 65_536


async def bounded(call: Awaitable[R], seconds: float, doing: str) -> R:
    """Await one call to the broker for at most ``seconds``; the client library has no bound of its own.

    Raises Fenced when another process has taken the producer's id, BrokerUnavailable for everything else that the
    broker or the client library reports (a password or certificate that is refused comes as a connection error too).
    """
    try:
        async with asyncio.timeout(seconds):
            return await call
    except ProducerFenced:
        raise Fenced(f"another process took over while {doing}") from None
    except TimeoutError:
        raise BrokerUnavailable(f"no answer within {seconds:g} s while {doing}") from None
    except (KafkaError, OSError) as error:
        raise BrokerUnavailable(f"{type(error).__name__} while {doing}") from error


def _ssl_context(settings: KafkaSettings) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=settings.ca_file)
        if settings.cert_file is not None:
            context.load_cert_chain(settings.cert_file, settings.key_file)
    except OSError as error:
        raise ConfigError("kafka.ca_file, cert_file, key_file", f"cannot be loaded: {error.strerror}") from None
    return context


def _password(settings: KafkaSettings) -> str:
    name = settings.sasl_password_env
    if name is None or name not in os.environ:
        raise ConfigError("kafka.sasl_password_env", "must name an environment variable that holds the password")
    return os.environ[name]
