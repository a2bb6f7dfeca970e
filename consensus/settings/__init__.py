"""The configuration: one tree, one YAML file plus environment, read once by `load`."""

from consensus.settings.load import load
from consensus.settings.sections import (
    AuditSettings,
    AuthSettings,
    DriftSettings,
    GrpcSettings,
    KafkaSettings,
    RetentionSettings,
    ReviewSettings,
    StoreSettings,
    TelemetrySettings,
)
from consensus.settings.tree import Settings

__all__ = [
    "AuditSettings",
    "AuthSettings",
    "DriftSettings",
    "GrpcSettings",
    "KafkaSettings",
    "RetentionSettings",
    "ReviewSettings",
    "Settings",
    "StoreSettings",
    "TelemetrySettings",
    "load",
]
