"""Reading what a group has committed for a partition: the offset and the map of what is done above it.

The client library hides a coordinator that is still loading: the partition is then missing from the answer or has the
offset -1, exactly as if nothing had ever been committed. So neither is believed: they are asked again until a real one
comes or the time is up, and topics get their first offset committed when they are created.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection

import structlog
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from consensus.errors import BrokerUnavailable
from consensus.kafka.connect import bounded
from consensus.kafka.offset_map import MapDamaged, decode
from consensus.kafka.offsets import Position

RETRY_S = 0.1
CALL_S = 5.0

log = structlog.get_logger()


async def committed(admin: AIOKafkaAdminClient, group: str, partition: TopicPartition, *, seconds: float) -> Position:
    """What the group has committed for the partition.

    Metadata that is not ours (another tool has set the offset) is dropped: work is then redone, not lost. Raises
    BrokerUnavailable when no offset is known after ``seconds``.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    while True:
        found = await _ask(admin, group, [partition])
        if partition in found:
            return _readable(partition, found[partition])
        if loop.time() + RETRY_S > deadline:
            raise BrokerUnavailable(
                f"group {group} has no committed offset for {partition.topic}-{partition.partition}; "
                "if this is a new group or topic, run: consensus topics"
            )
        await asyncio.sleep(RETRY_S)


async def without_offset(
    admin: AIOKafkaAdminClient, group: str, partitions: Collection[TopicPartition], *, times: int = 5
) -> set[TopicPartition]:
    """Partitions for which the group has no offset in any of ``times`` answers. Raises BrokerUnavailable."""
    left = set(partitions)
    for attempt in range(times):
        if not left:
            break
        if attempt:
            await asyncio.sleep(RETRY_S)
        left -= set(await _ask(admin, group, left))
    return left


async def _ask(
    admin: AIOKafkaAdminClient, group: str, partitions: Collection[TopicPartition]
) -> dict[TopicPartition, Position]:
    """One question; partitions without a believable offset are missing from the answer."""
    call = admin.list_consumer_group_offsets(group, partitions=list(partitions))
    answer = await bounded(call, CALL_S, f"reading the offsets of group {group}")
    return {tp: Position(found.offset, found.metadata or "") for tp, found in answer.items() if found.offset >= 0}


def _readable(partition: TopicPartition, position: Position) -> Position:
    try:
        decode(position.offset, position.metadata)
    except MapDamaged as damage:
        where = f"{partition.topic}-{partition.partition}"
        log.warning("commit metadata ignored", partition=where, offset=position.offset, damage=str(damage))
        return Position(position.offset)
    return position
