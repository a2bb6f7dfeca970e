"""Every metric in one typed table, and the one object through which they are written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

SECONDS = (0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300)


@dataclass(frozen=True)
class Metric:
    """``name`` without prefix; counters get ``_total`` by the client library. ``unit`` is part of the name."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    labels: tuple[str, ...] = ()


TABLE = (
    Metric("requests_in_flight", "gauge", "Requests being decided"),
    Metric("records", "counter", "Records consumed", ("topic",)),
    Metric("lag_records", "gauge", "Records behind the end of the partition", ("topic", "partition")),
    Metric("commits", "counter", "Kafka transactions", ("result",)),
    Metric("commit_seconds", "histogram", "Duration of one Kafka transaction"),
    Metric("repeats", "counter", "Verdicts repeated for a record with a known id and payload"),
    Metric("dead_letters", "counter", "Records sent to dead letters", ("code",)),
    Metric("backpressure", "gauge", "1 while partitions are paused for this reason", ("reason",)),
    Metric("verdicts", "counter", "Verdicts by status, kind and route", ("status", "kind", "route")),
    Metric("decision_seconds", "histogram", "From claim to decision"),
    Metric("model_calls", "counter", "Model calls by outcome (ok or the failure)", ("model", "outcome")),
    Metric("model_call_seconds", "histogram", "Duration of a model call with its retries", ("model",)),
    Metric("model_cost_dollars", "counter", "Money spent on models", ("model",)),
    Metric("snapshot_labels", "gauge", "Labelled requests the snapshot in use rests on"),
    Metric("certified_classes", "gauge", "Classes that decide with a certified snapshot"),
    Metric("snapshots_refused", "counter", "Snapshots that could not be used"),
    Metric("ingested", "counter", "Rows ingested by the calibrator", ("topic",)),
    Metric("refits", "counter", "Refits by result", ("result",)),
    Metric("campaign_labels", "gauge", "Labels that the running campaign has used", ("cls",)),
    Metric("campaign_regions", "gauge", "Regions that the running campaign has certified", ("cls",)),
    Metric("alarms", "gauge", "Alarms in the store; 0 is the gravest severity", ("severity", "code")),
    Metric("gateway_calls", "counter", "gRPC calls by method and status code", ("method", "code")),
    Metric("gateway_waiting", "gauge", "gRPC calls waiting for a verdict"),
)


class Metrics:
    """The table's metrics on a registry of their own, all named ``consensus_…``."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._counters: dict[str, Counter] = {}
        self._gauges: dict[str, Gauge] = {}
        self._histograms: dict[str, Histogram] = {}
        for metric in TABLE:
            self._declare(metric)

    def _declare(self, metric: Metric) -> None:
        name = f"consensus_{metric.name}"
        if metric.kind == "counter":
            self._counters[metric.name] = Counter(name, metric.help, metric.labels, registry=self.registry)
        elif metric.kind == "gauge":
            self._gauges[metric.name] = Gauge(name, metric.help, metric.labels, registry=self.registry)
        else:
            self._histograms[metric.name] = Histogram(
                name, metric.help, metric.labels, registry=self.registry, buckets=SECONDS
            )

    def count(self, name: str, amount: float = 1, **labels: str) -> None:
        """Add to a counter. A name or label outside the table is a KeyError or ValueError."""
        counter = self._counters[name]
        (counter.labels(**labels) if labels else counter).inc(amount)

    def set(self, name: str, value: float, **labels: str) -> None:
        """Set a gauge."""
        gauge = self._gauges[name]
        (gauge.labels(**labels) if labels else gauge).set(value)

    def observe(self, name: str, value: float, **labels: str) -> None:
        """Add an observation to a histogram (seconds)."""
        histogram = self._histograms[name]
        (histogram.labels(**labels) if labels else histogram).observe(value)

    def value(self, name: str, **labels: str) -> float:
        """Current value of a counter or gauge (0 when it was never written)."""
        full = f"consensus_{name}" + ("_total" if name in self._counters else "")
        return self.registry.get_sample_value(full, labels) or 0.0

    def render(self) -> bytes:
        """All metrics in the Prometheus text format."""
        return generate_latest(self.registry)
