"""The sections of the configuration that are not policies: each module gets its own, frozen."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, PositiveFloat, field_validator

from consensus.types import Frozen, Stakes


class Section(Frozen):
    """A part of the configuration: unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class KafkaSettings(Section):
    """The broker, and how one worker consumes and commits."""

    bootstrap_servers: str = "127.0.0.1:9092"
    """Comma-separated ``host:port``."""
    prefix: str = "consensus"
    """First part of every topic's name."""
    group: str = "consensus-worker"
    """Consumer group of the workers; part of their transactional ids."""
    instance_id: str | None = None
    """Static group member id; default hostname + command. Unique per process."""
    partitions: int = Field(default=6, ge=1, le=1024)
    """Of requests, verdicts, reviews, rulings and signals alike."""
    replication: int = Field(default=1, ge=1, le=9)
    """Replicas of each topic that ``consensus topics`` creates."""
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    """How the broker is reached."""
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "PLAIN"
    """With a ``SASL_…`` protocol."""
    sasl_username: str | None = None
    """With a ``SASL_…`` protocol."""
    sasl_password_env: str | None = None
    """Environment variable that holds the password."""
    ca_file: str | None = None
    """PEM file of the authority that signed the brokers' certificates."""
    cert_file: str | None = None
    """PEM file of the client's certificate, for mutual TLS."""
    key_file: str | None = None
    """PEM file of the client's key, for mutual TLS."""
    session_timeout_ms: int = Field(default=10_000, ge=500)
    """Silence after which the broker takes a member's partitions away."""
    rebalance_timeout_ms: int = Field(default=30_000, ge=500)
    """Time that members have to join a rebalance."""
    request_timeout_ms: int = Field(default=40_000, ge=1_000)
    """Bound of every call to the broker."""
    transaction_timeout_ms: int = Field(default=60_000, ge=1_000, le=900_000)
    """Age at which the broker aborts a transaction that was left open."""
    in_flight: int = Field(default=200, ge=1, le=10_000)
    """Requests decided at the same time by one worker."""
    incomplete_per_partition: int = Field(default=512, ge=1, le=512)
    """Requests of one partition that may be unfinished above its committed offset."""
    commit_batch: int = Field(default=100, ge=1, le=1_000)
    """Decisions in one transaction at most."""
    drain_seconds: float = Field(default=30.0, gt=0, le=3_600)
    """Time for unfinished requests after SIGTERM."""
    poison_crashes: int = Field(default=3, ge=1)
    """Crashes with a record in flight after which it becomes a dead letter."""
    claim_days: float = Field(default=30.0, gt=0)
    """How long an id without a decision is remembered; with one, see ``store.retention``."""
    max_record_bytes: int = Field(default=1_000_000, ge=1_000)
    """Larger records become dead letters."""
    dead_letter_ratio: float = Field(default=0.5, gt=0, le=1)
    """Share of the last `dead_letter_window` records above which consumption stops."""
    dead_letter_window: int = Field(default=200, ge=10)
    """Records over which ``dead_letter_ratio`` is taken."""
    dead_letter_run: int = Field(default=100, ge=1)
    """So many dead letters in a row stop consumption."""


class GrpcSettings(Section):
    """The gateway."""

    listen: str = "127.0.0.1:50051"
    """``host:port``."""
    max_deadline_ms: int = Field(default=300_000, gt=0)
    """Longest wait of a call, whatever deadline it brings."""
    max_message_bytes: int = Field(default=1_000_000, ge=1_000)
    """Larger messages are refused."""
    max_waiting: int = Field(default=1_000, ge=1)
    """Calls that may wait for a verdict at the same time; more are answered RESOURCE_EXHAUSTED."""
    stop_grace_s: float = Field(default=10.0, gt=0)
    """Time for open calls after SIGTERM."""


Days = Annotated[float, Field(gt=0)]


class ClassRetention(Section):
    """How many days the records of one class are kept; what is absent follows ``store.retention``."""

    decisions_days: Days | None = None
    """Requests with their answers, verdicts and rulings."""
    signals_days: Days | None = None
    """Ballots and the bytes of verdict records."""
    outcomes_days: Days | None = None
    """Ground truths and labels."""


class RetentionSettings(Section):
    """How many days records are kept; ``null``: for ever. Snapshots, alarms and the audit chain always are."""

    decisions_days: Days | None = 180.0
    """Requests with their answers, verdicts and rulings, in the ledger; never less than ``kafka.claim_days``."""
    signals_days: Days | None = None
    """Ballots, with their outcomes and labels and the bytes of their verdict records: what refits learn from."""
    outcomes_days: Days | None = None
    """Ground truths and labels, counted from the newest of a request; those of unknown requests too."""
    classes: dict[str, ClassRetention] = Field(default_factory=dict)
    """Other numbers of days for some classes, by name; a name with a slash in quotes."""


class StoreSettings(Section):
    """Claims, recorded answers, signals, outcomes and snapshots."""

    url: str = "sqlite+aiosqlite:///consensus.sqlite"
    """SQLAlchemy URL without a password: SQLite by default."""
    url_env: str | None = None
    """Name of the environment variable that holds the URL, where it contains a password."""
    pool_size: int = Field(default=5, ge=1)
    """Connections of one process."""
    timeout_s: float = Field(default=10.0, gt=0)
    """Bound of every statement."""
    retention: RetentionSettings = RetentionSettings()
    """What is forgotten when."""


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
    horizon_hours: float = Field(default=168.0, gt=0)
    """Time for a label: an audit without one counts as an error, for certificates and for their monitor."""


class AuthSettings(Section):
    """No keys yet: callers are not authenticated, so any key here is refused rather than ignored."""


class DriftSettings(Section):
    """How the calibration follows the world."""

    refit_labels: int = Field(default=50, ge=1)
    """New outcomes after which the calibrator refits."""
    refit_interval_s: float = Field(default=3_600.0, gt=0)
    """Longest time between refits while there are new outcomes."""
    min_labels: int = Field(default=30, ge=1)
    """Outcomes below which nothing is fitted and confidence stays null."""


class TelemetrySettings(Section):
    """What the on-call engineer sees."""

    listen: str | None = None
    """Where /livez, /readyz and /metrics are served, e.g. ``0.0.0.0:9464``; ``null``: nowhere."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """Least severe line that is written."""
    log_format: Literal["json", "console"] = "json"
    """``json`` for machines, ``console`` for people."""
    sentry_dsn_env: str | None = None
    """Environment variable that holds the DSN; ``null``: errors stay in the log."""
    environment: str = "production"
    """Name of this deployment in errors and traces."""
