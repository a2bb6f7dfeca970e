"""Records as this service sees them: what comes in, what goes out, and the headers between."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from consensus import wire
from consensus.errors import Malformed
from consensus.json_limits import WHOLE
from consensus.kafka.topics import Topics
from consensus.ledger import Version
from consensus.logs import TRACE_HEADER
from consensus.types import SCHEMA_VERSION, BallotEntry, Request, Vote

Headers = tuple[tuple[str, bytes], ...]

STREAM_HEADER = "x-stream"


@dataclass(frozen=True)
class Incoming:
    """One consumed record with its position; ``timestamp`` is when its producer or the broker dated it."""

    topic: str
    partition: int
    offset: int
    timestamp: datetime
    key: bytes | None
    value: bytes | None
    headers: Headers = ()

    @property
    def streams(self) -> bool:
        """Whether the caller wants each vote as it arrives."""
        return any(name == STREAM_HEADER and value == b"1" for name, value in self.headers)


@dataclass(frozen=True)
class Outgoing:
    """One record to be produced; ``partition`` None lets the key decide."""

    topic: str
    partition: int | None
    key: bytes | None
    value: bytes | None
    headers: Headers = ()


def incoming(record: Any) -> Incoming:
    """A record of the client library (aiokafka.ConsumerRecord)."""
    return Incoming(
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        timestamp=datetime.fromtimestamp(record.timestamp / 1000, UTC),
        key=record.key,
        value=record.value,
        headers=tuple(record.headers),
    )


def read_request(record: Incoming, max_bytes: int) -> Request:
    """The request in a record. The key may be absent or differ: the value's id decides. Raises Malformed."""
    return wire.read(Request, within(record, max_bytes))


def within(record: Incoming, max_bytes: int) -> bytes | None:
    """The record's value, unless it is larger than what is parsed at all. Raises Malformed."""
    if record.value is not None and len(record.value) > max_bytes:
        reason = f"has {len(record.value)} bytes, at most {max_bytes} are allowed"
        raise Malformed(reason, field=WHOLE, code="too_large")
    return record.value


def echo(headers: Headers) -> Headers:
    """Headers of everything that follows from a record: the schema version, its trace and its ``x-*`` headers."""
    carried = [(name, value) for name, value in headers if name == TRACE_HEADER or name.startswith("x-")]
    return (("schema-version", SCHEMA_VERSION.encode()), *carried)


def decision_records(topics: Topics, partition: int, version: Version, headers: Headers) -> tuple[Outgoing, ...]:
    """Everything that one version publishes, beside its input's partition; the bytes are the stored ones."""
    parts = (
        (topics.verdicts, partition, version.verdict),
        (topics.reviews, partition, version.review),
        (topics.signals, partition, version.signal),
        (topics.outcomes, None, version.outcome),
    )
    return tuple(_outputs(parts, version.request_id, headers))


def _outputs(
    parts: Iterable[tuple[str, int | None, bytes | None]], request_id: str, headers: Headers
) -> Iterable[Outgoing]:
    key = request_id.encode()
    for topic, partition, value in parts:
        if value is not None:
            yield Outgoing(topic, partition, key, value, echo(headers))


def repeat_record(topics: Topics, partition: int, version: Version, headers: Headers) -> Outgoing:
    """The verdict again, byte for byte, for another record with the same id and payload."""
    return Outgoing(topics.verdicts, partition, version.request_id.encode(), version.verdict, echo(headers))


def outcome_record(topics: Topics, request_id: str, outcome: bytes, headers: Headers) -> Outgoing:
    """An outcome on its own, where a ruling changes no verdict."""
    return Outgoing(topics.outcomes, None, request_id.encode(), outcome, echo(headers))


def vote_record(topics: Topics, record: Incoming, request: Request, entry: BallotEntry) -> Outgoing:
    """One member's answer as it arrived."""
    vote = Vote(request_id=request.id, tenant=request.tenant, entry=entry)
    return Outgoing(topics.votes, None, request.id.encode(), wire.write(vote), echo(record.headers))
