"""The error tree, split by what the caller does next.

ConsensusError
├── Retry                    the same thing may work later: back off, pause, or answer UNAVAILABLE
│   ├── StoreUnavailable     the store does not answer: partitions pause, nothing is lost
│   ├── BrokerUnavailable    Kafka does not answer within its bound
│   ├── Overloaded           as many calls wait as may: answer RESOURCE_EXHAUSTED
│   └── ModelError           one call to a model failed; `failure` names how, `retryable` whether again makes sense
│       └── BudgetSpent      the request's calls or money are used up: never retried
├── DeadLetter               this record will never work: publish it with `code`, `reason` and its position, go on
│   ├── Malformed            not JSON, over a limit, or not of the contract; `field` says where
│   ├── Conflict             the id is known with another payload
│   └── Poison               the record was in flight at too many crashes
└── Stop                     a person must act: say what to do and exit
    ├── ConfigError          the configuration is wrong at `path`
    ├── SnapshotRefused      a snapshot is damaged, of an older format, or speaks of unknown models
    ├── Fenced               another process owns this partition or this id: give it up, do not retry
    └── DeadLetterLimit      too many dead letters: likely a bad deploy
"""

from __future__ import annotations

from consensus.types import Failure


class ConsensusError(Exception):
    """Base of all errors of this service."""


class Retry(ConsensusError):
    """The same call may succeed later."""


class StoreUnavailable(Retry):
    """The store does not answer or is full."""


class BrokerUnavailable(Retry):
    """Kafka does not answer within its bound."""


class Overloaded(Retry):
    """As many calls as may wait for a verdict do."""


class ModelError(Retry):
    """One call to a model failed.

    ``failure`` is the typed cause, ``retryable`` whether another attempt makes sense, ``retry_after_s`` what the
    provider asked for. The message is redacted: it never holds a key, a header or provider text beyond a bounded,
    cleaned excerpt.
    """

    def __init__(
        self,
        failure: Failure,
        message: str,
        *,
        retryable: bool = False,
        retry_after_s: float | None = None,
        finish_reason: str | None = None,
        tokens_in: int = 0,
        tokens_out: int = 0,
        cost: float = 0.0,
    ) -> None:
        super().__init__(message)
        self.failure = failure
        self.retryable = retryable
        self.retry_after_s = retry_after_s
        self.finish_reason = finish_reason
        self.tokens_in = tokens_in
        self.tokens_out = tokens_out
        self.cost = cost
        self.attempts = 1


class BudgetSpent(ModelError):
    """The request's budget of calls or money does not allow another call."""

    def __init__(self, message: str) -> None:
        super().__init__(Failure.BUDGET, message)
        self.attempts = 0


class DeadLetter(ConsensusError):
    """A record that can never be processed. ``code`` is stable, ``reason`` for people, ``field`` a path or ``None``."""

    code = "invalid"

    def __init__(self, reason: str, *, field: str | None = None, code: str | None = None) -> None:
        super().__init__(reason if field is None else f"{field}: {reason}")
        self.reason = reason
        self.field = field
        if code is not None:
            self.code = code


class Malformed(DeadLetter):
    """Not JSON, over a limit, or not of the contract."""

    code = "malformed"


class Conflict(DeadLetter):
    """The id is known with another payload."""

    code = "conflict"


class Poison(DeadLetter):
    """The record was in flight at too many crashes."""

    code = "poison"


class Stop(ConsensusError):
    """A person must act."""


class ConfigError(Stop):
    """The configuration is wrong. ``path`` is the key (``panels.main.models[2]``); the message says what to do.

    ``also`` holds further faults that were found in the same reading; the text lists all of them, one per line.
    """

    def __init__(self, path: str, message: str, also: tuple[ConfigError, ...] = ()) -> None:
        super().__init__("\n".join([f"{path}: {message}", *(str(error) for error in also)]))
        self.path = path
        self.message = message
        self.also = also


class SnapshotRefused(Stop):
    """A snapshot cannot be used; the one in use stays."""


class Fenced(Stop):
    """Another process owns this partition."""


class DeadLetterLimit(Stop):
    """Too many records in a row, or too large a share, became dead letters."""
