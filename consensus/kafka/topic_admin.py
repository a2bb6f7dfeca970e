"""Creating the topics and checking that they are as the worker needs them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import NoError, TopicAlreadyExistsError, for_code

from consensus.errors import BrokerUnavailable
from consensus.kafka.committed import without_offset
from consensus.kafka.connect import admin_client, bounded, client_options, output_bytes
from consensus.kafka.topics import PARALLEL, Topics
from consensus.settings import KafkaSettings

CALL_S = 30.0
RETRY_S = 0.2
VOTES_RETENTION_MS = 3_600_000
INPUTS = ("requests", "rulings")
"""Topics from which the worker's group reads."""


async def create_topics(settings: KafkaSettings) -> list[str]:
    """Create what is missing and give the group a first offset everywhere; returns the names that were created.

    Doing it again changes nothing. Raises BrokerUnavailable.
    """
    topics = Topics(settings.prefix)
    async with administration(settings) as admin:
        missing = sorted(set(topics.names()) - set(await _partition_counts(admin, topics)))
        for name in missing:
            await _create(admin, _new_topic(settings, topics, name))
        counts = await _until_visible(admin, topics)
        inputs = [
            TopicPartition(topics.named(noun), number)
            for noun in INPUTS
            for number in range(counts[topics.named(noun)])
        ]
        fresh = {tp for tp in inputs if tp.topic in missing}
        fresh |= await without_offset(admin, settings.group, set(inputs) - fresh)
    if fresh:
        await _commit_first(settings, fresh)
    return missing


async def check_topics(settings: KafkaSettings) -> list[str]:
    """What is wrong with the topics, in words; empty when the worker can run. Raises BrokerUnavailable."""
    topics = Topics(settings.prefix)
    async with administration(settings) as admin:
        counts = await _partition_counts(admin, topics)
    wrong = [f"topic {name} does not exist: run consensus topics" for name in sorted(set(topics.names()) - set(counts))]
    parallel = {name: counts[name] for name in (topics.named(noun) for noun in PARALLEL) if name in counts}
    if len(set(parallel.values())) > 1:
        listed = ", ".join(f"{name} has {count}" for name, count in parallel.items())
        wrong.append(f"these topics need equal numbers of partitions: {listed}")
    return wrong


@asynccontextmanager
async def administration(settings: KafkaSettings) -> AsyncIterator[AIOKafkaAdminClient]:
    """A started admin client for as long as the context lasts. Raises BrokerUnavailable."""
    admin = admin_client(settings)
    try:
        await bounded(admin.start(), CALL_S, "connecting")
        yield admin
    finally:
        await bounded(admin.close(), CALL_S, "closing the admin client")


def _new_topic(settings: KafkaSettings, topics: Topics, name: str) -> NewTopic:
    config = {"max.message.bytes": str(output_bytes(settings))}
    if settings.replication >= 3:
        config["min.insync.replicas"] = "2"
    partitions = settings.partitions
    if name == topics.snapshots:
        config["cleanup.policy"] = "compact"
        partitions = 1
    elif name == topics.votes:
        config["retention.ms"] = str(VOTES_RETENTION_MS)
    return NewTopic(name, partitions, settings.replication, topic_configs=config)


async def _create(admin: AIOKafkaAdminClient, topic: NewTopic) -> None:
    """Create one topic; retried, because a cluster that has just started may not have all its brokers yet."""
    deadline = asyncio.get_running_loop().time() + CALL_S
    while True:
        response = await bounded(admin.create_topics([topic]), CALL_S, f"creating topic {topic.name}")
        error = for_code(response.topic_errors[0][1])
        if error in (NoError, TopicAlreadyExistsError):
            return
        if asyncio.get_running_loop().time() > deadline:
            raise BrokerUnavailable(f"{error.__name__} while creating topic {topic.name}")
        await asyncio.sleep(RETRY_S)


async def _until_visible(admin: AIOKafkaAdminClient, topics: Topics) -> dict[str, int]:
    """Partition counts once every topic is known and has leaders: creation returns earlier."""
    deadline = asyncio.get_running_loop().time() + CALL_S
    while True:
        counts = await _partition_counts(admin, topics)
        if set(topics.names()) <= set(counts):
            return counts
        if asyncio.get_running_loop().time() > deadline:
            raise BrokerUnavailable("the topics were created but do not appear")
        await asyncio.sleep(RETRY_S)


async def _partition_counts(admin: AIOKafkaAdminClient, topics: Topics) -> dict[str, int]:
    """Partitions of each of our topics that exists and has a leader for all of them."""
    described = await bounded(admin.describe_topics(), CALL_S, "describing topics")
    wanted = set(topics.names())
    return {
        topic["topic"]: len(topic["partitions"])
        for topic in described
        if topic["topic"] in wanted and topic["partitions"] and all(part["leader"] >= 0 for part in topic["partitions"])
    }


async def _commit_first(settings: KafkaSettings, partitions: Collection[TopicPartition]) -> None:
    """Commit the beginning of the log, so that a worker never has to guess what a missing offset means."""
    consumer = AIOKafkaConsumer(group_id=settings.group, enable_auto_commit=False, **client_options(settings))
    try:
        await bounded(consumer.start(), CALL_S, "connecting")
        consumer.assign(list(partitions))
        beginnings = await bounded(consumer.beginning_offsets(list(partitions)), CALL_S, "reading the log's beginning")
        await bounded(consumer.commit(beginnings), CALL_S, "committing the first offsets (stop the workers first)")
    finally:
        await bounded(consumer.stop(), CALL_S, "closing the consumer")
