"""The partitions of a topic that a consumer reads without a subscription."""

from __future__ import annotations

from aiokafka import AIOKafkaConsumer, TopicPartition

from consensus.errors import BrokerUnavailable


async def partitions_of(consumer: AIOKafkaConsumer, topic: str) -> list[TopicPartition]:
    """All partitions of ``topic``, in order. Raises BrokerUnavailable when the topic does not exist.

    A consumer that has subscribed to nothing knows of no topic until it asks, and the library has no public call for
    that: `partitions_for_topic` alone answers None on a real broker. Asking for a topic by name may create it, so the
    list of all topics comes first. The caller bounds the wait.
    """
    missing = BrokerUnavailable(f"topic {topic} does not exist; create it with: consensus topics")
    if topic not in await consumer.topics():
        raise missing
    await consumer._client.add_topic(topic)
    numbers = consumer.partitions_for_topic(topic)
    if not numbers:
        raise missing
    return [TopicPartition(topic, number) for number in sorted(numbers)]
