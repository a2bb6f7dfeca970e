"""The sections of the configuration that are not policies: each module gets its own, frozen."""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict, Field, PositiveFloat, field_validator

from consensus.types import Frozen, Stakes


class Section(Frozen):
    """A part of the configuration: unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class KafkaSettings(Section):
    bootstrap_servers: str = "127.0.0.1:9092"
    prefix: str = "consensus"
    group: str = "consensus-worker"
    instance_id: str | None = None
    """Static group member id; default hostname + command. Unique per process."""
    partitions: int = Field(default=6, ge=1, le=1024)
    replication: int = Field(default=1, ge=1, le=9)
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "PLAIN"
    sasl_username: str | None = None
    sasl_password_env: str | None = None
    ca_file: str | None = None
    cert_file: str | None = None
    key_file: str | None = None
    session_timeout_ms: int = Field(default=10_000, ge=500)
    rebalance_timeout_ms: int = Field(default=30_000, ge=500)
    request_timeout_ms: int = Field(default=40_000, ge=1_000)
    transaction_timeout_ms: int = Field(default=60_000, ge=1_000, le=900_000)
    in_flight: int = Field(default=200, ge=1, le=10_000)
    """Requests decided at the same time by one worker."""
    incomplete_per_partition: int = Field(default=512, ge=1, le=512)
    commit_batch: int = Field(default=100, ge=1, le=1_000)
    commit_interval_ms: int = Field(default=50, ge=0, le=10_000)
    drain_seconds: float = Field(default=30.0, gt=0, le=3_600)
    poison_crashes: int = Field(default=3, ge=1)
    claim_days: float = Field(default=30.0, gt=0)
    max_record_bytes: int = Field(default=1_000_000, ge=1_000)
    dead_letter_ratio: float = Field(default=0.5, gt=0, le=1)
    """Share of the last `dead_letter_window` records above which consumption stops."""
    dead_letter_window: int = Field(default=200, ge=10)
    dead_letter_run: int = Field(default=100, ge=1)
    """So many dead letters in a row stop consumption."""


class GrpcSettings(Section):
    listen: str = "127.0.0.1:50051"
    max_deadline_ms: int = Field(default=300_000, gt=0)
    max_message_bytes: int = Field(default=1_000_000, ge=1_000)
    max_waiting: int = Field(default=1_000, ge=1)
    """Calls that may wait for a verdict at the same time; more are answered RESOURCE_EXHAUSTED."""
    stop_grace_s: float = Field(default=10.0, gt=0)


class StoreSettings(Section):
    url: str = "sqlite+aiosqlite:///consensus.sqlite"
    url_env: str | None = None
    """Name of the environment variable that holds the URL, where it contains a password."""
    pool_size: int = Field(default=5, ge=1)
    timeout_s: float = Field(default=10.0, gt=0)


DUE_MINUTES: dict[Stakes, float] = {
    Stakes.LOW: 2_880.0,
    Stakes.STANDARD: 1_440.0,
    Stakes.HIGH: 240.0,
    Stakes.CRITICAL: 60.0,
}


class ReviewSettings(Section):
    """Whether people rule on what automation leaves open, and how soon."""

    enabled: bool = True
    """``false``: nobody reviews; what would be reviewed is abstained, whatever a policy says."""
    due_minutes: dict[Stakes, PositiveFloat] = Field(default_factory=lambda: dict(DUE_MINUTES))
    """Minutes to a ruling by stakes; stakes that are not listed keep their default."""

    @field_validator("due_minutes")
    @classmethod
    def _every_stakes(cls, minutes: dict[Stakes, float]) -> dict[Stakes, float]:
        return {**DUE_MINUTES, **minutes}


class AuditSettings(Section):
    """Blind audits: what policies use that do not set their own."""

    rate: float = Field(default=0.02, ge=0, le=1)
    """Share of requests, accepted ones included, that people check blind (``audit_rate`` of a policy)."""
    exploration_rate: float = Field(default=0.05, ge=0, le=1)
    """Share of requests that ask the full panel whatever the snapshot says (``exploration_rate`` of a policy)."""


class AuthSettings(Section):
    """No keys yet: callers are not authenticated, so any key here is refused rather than ignored."""


class DriftSettings(Section):
    """How the calibration follows the world."""

    refit_labels: int = Field(default=50, ge=1)
    """New outcomes after which the calibrator refits."""
    refit_interval_s: float = Field(default=3_600.0, gt=0)
    min_labels: int = Field(default=30, ge=1)
    """Outcomes below which nothing is fitted and confidence stays null."""


class TelemetrySettings(Section):
    listen: str | None = None
    """Where /livez, /readyz and /metrics are served, e.g. ``0.0.0.0:9464``; ``null``: nowhere."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["json", "console"] = "json"
    sentry_dsn_env: str | None = None
    environment: str = "production"
