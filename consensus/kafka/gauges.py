"""What can be seen of the lanes from outside: their backpressure, their lag, and whether they move."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from aiokafka import AIOKafkaConsumer, TopicPartition

from consensus.kafka.lane import Lane
from consensus.kafka.plant import Flow
from consensus.kafka.watchdog import Positions
from consensus.metrics import Metrics


class Gauges:
    """Reads ``lanes`` as they are at each call."""

    def __init__(self, consumer: AIOKafkaConsumer, lanes: Mapping[TopicPartition, Lane], metrics: Metrics) -> None:
        self._consumer = consumer
        self._lanes = lanes
        self._metrics = metrics

    def measure(self) -> None:
        """Write the metrics of this moment."""
        flows = {lane.flow for lane in self._lanes.values()}
        for flow in Flow:
            if flow not in (Flow.OPEN, Flow.CLOSED):
                self._metrics.set("backpressure", float(flow in flows), reason=flow.value)
        for source, lane in self._lanes.items():
            lag = self._lag(source, lane)
            if lag is not None:
                self._metrics.set("lag_records", lag, topic=source.topic, partition=str(source.partition))

    def gone(self, sources: Collection[TopicPartition]) -> None:
        """Partitions that were given up are behind no more here: their next owner tells."""
        for source in sources:
            self._metrics.set("lag_records", 0, topic=source.topic, partition=str(source.partition))

    def moving(self) -> Positions:
        """Lanes that should move: those that open, and those that want records while there are some."""
        positions: dict[str, tuple[object, ...]] = {}
        for source, lane in self._lanes.items():
            name = lane.task.get_name()
            if lane.flow is Flow.OPENING:
                positions[name] = ("opening", lane.openings)
            elif lane.wants and lane.idle and self._lag(source, lane):
                positions[name] = ("reading", lane.openings, lane.lowest)
        return positions

    def _lag(self, source: TopicPartition, lane: Lane) -> int | None:
        """Records between the lowest unfinished one and the end of the log, as far as it is known."""
        lowest = lane.lowest
        if lowest is None or source not in self._consumer.assignment():
            return None
        end = self._consumer.highwater(source)
        return None if end is None else max(0, end - lowest)
