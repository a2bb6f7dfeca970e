"""The configuration: one tree, one YAML file plus environment, read once."""

from consensus.settings.sections import (
    DriftSettings,
    GrpcSettings,
    KafkaSettings,
    ReviewSettings,
    StoreSettings,
    TelemetrySettings,
)

__all__ = ["DriftSettings", "GrpcSettings", "KafkaSettings", "ReviewSettings", "StoreSettings", "TelemetrySettings"]
