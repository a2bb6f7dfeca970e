"""How far the workers' group has come: what it has committed for every partition that it reads."""

from __future__ import annotations

from collections.abc import Mapping

from aiokafka import TopicPartition

from consensus.kafka.committed import committed
from consensus.kafka.offset_map import decode
from consensus.kafka.offsets import Position
from consensus.kafka.topic_admin import INPUTS, administration
from consensus.kafka.topics import Topics
from consensus.settings import KafkaSettings

CALL_S = 30.0

Place = tuple[str, int]
"""Topic and partition."""


async def positions(settings: KafkaSettings) -> Mapping[Place, Position]:
    """The committed position of every partition of the requests and the rulings. Raises BrokerUnavailable."""
    topics = Topics(settings.prefix)
    found: dict[Place, Position] = {}
    async with administration(settings) as admin:
        for noun in INPUTS:
            for number in range(settings.partitions):
                partition = TopicPartition(topics.named(noun), number)
                found[partition.topic, number] = await committed(admin, settings.group, partition, seconds=CALL_S)
    return found


def done(position: Position, offset: int) -> bool:
    """Whether a committed position says that the record at ``offset`` is finished."""
    incomplete, end = decode(position.offset, position.metadata)
    return offset < end and offset not in incomplete
