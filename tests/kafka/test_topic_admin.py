"""Topics are created once, with a first offset for the group, and checked for what the worker relies on."""

from __future__ import annotations

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import NewTopic

from consensus.errors import BrokerUnavailable
from consensus.kafka.committed import committed, without_offset
from consensus.kafka.connect import client_options
from consensus.kafka.offset_map import encode
from consensus.kafka.offsets import Position
from consensus.kafka.topic_admin import administration, check_topics, create_topics
from consensus.kafka.topics import NOUNS, Topics
from consensus.settings import KafkaSettings


@pytest.fixture
def settings(broker: str, prefix: str) -> KafkaSettings:
    return KafkaSettings(bootstrap_servers=broker, prefix=prefix, group=prefix, partitions=2)


def test_names() -> None:
    """Every noun is a topic under the prefix; anything else is a mistake."""
    topics = Topics("p")
    assert topics.names() == tuple(f"p.{noun.replace('_', '-')}" for noun in NOUNS)
    assert topics.dead_letters == "p.dead-letters"
    with pytest.raises(AttributeError):
        _ = topics.nonsense


async def test_created_once(settings: KafkaSettings) -> None:
    """All topics exist afterwards, the second call creates none, and nothing is wrong with them."""
    assert await check_topics(settings) == [
        f"topic {name} does not exist: run consensus topics" for name in sorted(Topics(settings.prefix).names())
    ]
    assert await create_topics(settings) == sorted(Topics(settings.prefix).names())
    assert await create_topics(settings) == []
    assert await check_topics(settings) == []


async def test_the_group_gets_a_first_offset(settings: KafkaSettings) -> None:
    """Every input partition has a committed offset from the start, and creating again leaves later ones alone."""
    await create_topics(settings)
    moved = TopicPartition(Topics(settings.prefix).requests, 1)
    metadata = encode((5, 9), 12)
    await commit(settings, moved, 5, metadata)
    await create_topics(settings)
    async with administration(settings) as admin:
        for noun in ("requests", "rulings"):
            first = TopicPartition(Topics(settings.prefix).named(noun), 0)
            assert await committed(admin, settings.group, first, seconds=30) == Position(0)
        assert await committed(admin, settings.group, moved, seconds=30) == Position(5, metadata)


async def test_no_offset_is_never_taken_for_zero(settings: KafkaSettings) -> None:
    """A partition that nothing was committed for is an error that says what to do."""
    await create_topics(settings)
    unread = TopicPartition(Topics(settings.prefix).verdicts, 0)
    async with administration(settings) as admin:
        with pytest.raises(BrokerUnavailable, match="run: consensus topics"):
            await committed(admin, settings.group, unread, seconds=0.2)
        assert await without_offset(admin, settings.group, [unread], times=2) == {unread}


async def test_foreign_metadata_is_ignored(settings: KafkaSettings) -> None:
    """An offset set by another tool counts, what it wrote beside it does not."""
    await create_topics(settings)
    partition = TopicPartition(Topics(settings.prefix).requests, 0)
    await commit(settings, partition, 7, "set by hand")
    async with administration(settings) as admin:
        assert await committed(admin, settings.group, partition, seconds=30) == Position(7)


async def test_unequal_partitions_are_found(settings: KafkaSettings) -> None:
    """Outputs go to the partition number of the input, so a topic with another count is reported."""
    topics = Topics(settings.prefix)
    async with administration(settings) as admin:
        await admin.create_topics([NewTopic(topics.verdicts, 3, 1)])
    await create_topics(settings)
    [problem] = await check_topics(settings)
    assert f"{topics.verdicts} has 3" in problem
    assert f"{topics.requests} has 2" in problem


async def commit(settings: KafkaSettings, partition: TopicPartition, offset: int, metadata: str) -> None:
    consumer = AIOKafkaConsumer(group_id=settings.group, enable_auto_commit=False, **client_options(settings))
    await consumer.start()
    consumer.assign([partition])
    await consumer.commit({partition: (offset, metadata)})
    await consumer.stop()
