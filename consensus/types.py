"""The nouns of the service. Frozen pydantic models that *are* the JSON contract (docs/schemas/ is generated from them).

Conventions of every message: enums are lower-case strings, times are RFC 3339 in UTC, an absent value is ``null``,
unknown fields are ignored, unknown enum values are an error. Money is in US dollars, durations carry their unit in
their name, probabilities lie in [0, 1] and are ``null`` until something has been fitted.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    StringConstraints,
    model_validator,
)

SCHEMA_VERSION = "1"


def _utc(value: datetime) -> datetime:
    return value.astimezone(UTC)


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("must be a finite number")
    if isinstance(value, dict):
        for item in value.values():
            _finite(item)
    elif isinstance(value, list):
        for item in value:
            _finite(item)
    return value


def _printable(value: str) -> str:
    if len(value) <= 256 and value.isascii() and value.isprintable():  # almost all
        return value
    if any(ord(c) < 32 or 127 <= ord(c) < 160 for c in value):
        raise ValueError("must not contain control characters")
    if len(value.encode("utf-8", "surrogatepass")) > 256:
        raise ValueError("must be at most 256 bytes of UTF-8")
    return value


Time = Annotated[AwareDatetime, AfterValidator(_utc)]
Identifier = Annotated[str, StringConstraints(min_length=1), AfterValidator(_printable)]
Probability = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=0, le=2**53)]
LabelValue = Annotated[JsonValue, AfterValidator(_finite)]
"""option id (choice), boolean, number in the request's unit, sorted ids (labels), object, string (text)."""


class Frozen(BaseModel):
    """Base of every message and internal noun."""

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True, serialize_by_alias=True)


# ---------------------------------------------------------------- request


class Stakes(StrEnum):
    LOW = "low"
    STANDARD = "standard"
    HIGH = "high"
    CRITICAL = "critical"


class Option(Frozen):
    id: Identifier
    text: Annotated[str, StringConstraints(min_length=1)]


def _option(value: Any) -> Any:
    return {"id": value, "text": value} if isinstance(value, str) else value


Options = Annotated[
    tuple[Annotated[Option, BeforeValidator(_option, json_schema_input_type=Option | str)], ...],
    Field(min_length=2, max_length=256),
]


def _distinct(options: tuple[Option, ...]) -> None:
    seen: set[str] = set()
    for option in options:
        if option.id in seen:
            raise ValueError(f"options: two options have the id {option.id!r}")
        seen.add(option.id)


class ChoiceSpec(Frozen):
    type: Literal["choice"] = "choice"
    options: Options

    @model_validator(mode="after")
    def _check(self) -> Self:
        _distinct(self.options)
        return self


class BooleanSpec(Frozen):
    type: Literal["boolean"] = "boolean"


class NumberSpec(Frozen):
    """``rel_tolerance`` is a fraction (0.01 = one percent), ``abs_tolerance`` is in ``unit``."""

    type: Literal["number"] = "number"
    unit: Annotated[str, StringConstraints(min_length=1, max_length=64)] | None = None
    abs_tolerance: NonNegative | None = None
    rel_tolerance: NonNegative | None = None


class LabelsSpec(Frozen):
    type: Literal["labels"] = "labels"
    options: Options

    @model_validator(mode="after")
    def _check(self) -> Self:
        _distinct(self.options)
        return self


class ObjectSpec(Frozen):
    """``schema`` is a JSON Schema; ``weights`` and ``critical`` use JSON pointers into the object."""

    type: Literal["object"] = "object"
    schema_: dict[str, JsonValue] = Field(alias="schema")
    weights: dict[str, NonNegative] | None = None
    critical: tuple[str, ...] | None = None


class TextSpec(Frozen):
    type: Literal["text"] = "text"
    equivalence: Literal["exact", "lexical", "judge"] | None = None


AnswerSpec = Annotated[
    ChoiceSpec | BooleanSpec | NumberSpec | LabelsSpec | ObjectSpec | TextSpec, Field(discriminator="type")
]


class Message(Frozen):
    role: Literal["system", "user", "assistant"]
    content: Annotated[str, StringConstraints(min_length=1)]


class Request(Frozen):
    """One high-stakes question. ``deadline_ms`` counts from the record's timestamp."""

    id: Identifier
    tenant: Identifier = "default"
    domain: Identifier
    stakes: Stakes
    policy: Identifier | None = None
    prompt: Annotated[str, StringConstraints(min_length=1)] | None = None
    messages: tuple[Message, ...] | None = None
    context: str | None = None
    answer: AnswerSpec
    deadline_ms: Annotated[int, Field(gt=0, le=7 * 86_400_000)] | None = None
    metadata: dict[str, JsonValue] | None = None

    @model_validator(mode="after")
    def _one_question(self) -> Self:
        if (self.prompt is None) == (not self.messages):
            raise ValueError("prompt: exactly one of prompt and messages must be given")
        return self


# ---------------------------------------------------------------- answers and labels


class LabelKind(StrEnum):
    ANSWER = "answer"
    ABSTAINED = "abstained"
    REFUSED = "refused"
    TRUNCATED = "truncated"
    CONFLICTING = "conflicting"
    INVALID = "invalid"
    FAILED = "failed"
    NOT_ASKED = "not_asked"
    CANCELLED = "cancelled"


class ConfidenceSource(StrEnum):
    VERBAL = "verbal"
    LOGPROB = "logprob"
    SAMPLE_SHARE = "sample_share"
    VOTE = "vote"
    NONE = "none"


class Failure(StrEnum):
    """Why a model gave no reply that could be read."""

    TIMEOUT = "timeout"
    RATE_LIMITED = "rate_limited"
    UNAUTHORIZED = "unauthorized"
    UNAVAILABLE = "unavailable"
    CONNECTION = "connection"
    BAD_REQUEST = "bad_request"
    CONTEXT_LENGTH = "context_length"
    CONTENT_FILTER = "content_filter"
    MALFORMED = "malformed"
    EMPTY = "empty"
    NOT_RECORDED = "not_recorded"
    BUDGET = "budget"
    CANCELLED = "cancelled"


class CostSource(StrEnum):
    CONFIGURED = "configured"  # tokens × the prices of the configuration
    PROVIDER = "provider"  # stated by the provider
    NONE = "none"  # no price is known: cost is 0 and says so


class TokenLogprob(Frozen):
    """One generated token with its natural log probability and the alternatives the provider listed."""

    token: str
    logprob: Annotated[float, Field(le=0, allow_inf_nan=False)]
    top: tuple[tuple[str, float], ...] = ()


class Answer(Frozen):
    """What one model said: the whole text, or a typed failure. Internal; kept in the ledger."""

    model: str
    model_version: str | None = None
    family: str
    text: str | None = None
    structured: bool = False
    finish_reason: str | None = None
    failure: Failure | None = None
    logprobs: tuple[TokenLogprob, ...] | None = None
    tokens_in: Count = 0
    tokens_out: Count = 0
    cost: NonNegative = 0.0
    cost_source: CostSource = CostSource.NONE
    latency_ms: Count = 0
    attempts: Count = 0
    prompt_hash: str | None = None


class Label(Frozen):
    """An answer read against the answer spec. ``value`` is ``None`` unless ``kind`` is ``answer``.

    ``surface`` is the text as the model wrote the answer (for telling stylistic from identical); ``marks`` are codes of
    injection detectors that fired on the reply.
    """

    kind: LabelKind
    value: LabelValue = None
    surface: str | None = None
    raw_confidence: Probability | None = None
    confidence_source: ConfidenceSource = ConfidenceSource.NONE
    marks: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _value_only_for_answers(self) -> Self:
        if (self.value is not None) != (self.kind is LabelKind.ANSWER):
            raise ValueError("value must be given exactly when kind is answer")
        return self


# ---------------------------------------------------------------- verdict


class Kind(StrEnum):
    """Disagreement kinds, in the order in which they are tested."""

    ADVERSARIAL = "adversarial"
    DEGRADED = "degraded"
    REFUSAL = "refusal"
    NONE = "none"
    STYLISTIC = "stylistic"
    HIGH_CONFIDENCE = "high_confidence"
    REASONING = "reasoning"


class Route(StrEnum):
    ACCEPT = "accept"
    EXTEND = "extend"
    ARBITRATE = "arbitrate"
    REVIEW = "review"
    ABSTAIN = "abstain"


class Status(StrEnum):
    ACCEPTED = "accepted"
    ARBITRATED = "arbitrated"
    PENDING_REVIEW = "pending_review"
    REVIEWED = "reviewed"
    ABSTAINED = "abstained"
    FAILED = "failed"


class BallotEntry(Frozen):
    """One panel member's label, with where every number comes from. ``confidence`` is calibrated, else ``null``."""

    model: str
    model_version: str | None = None
    family: str
    label_kind: LabelKind
    label: LabelValue = None
    confidence: Probability | None = None
    raw_confidence: Probability | None = None
    confidence_source: ConfidenceSource = ConfidenceSource.NONE
    failure: Failure | None = None
    finish_reason: str | None = None
    latency_ms: Count = 0
    tokens_in: Count = 0
    tokens_out: Count = 0
    cost: NonNegative = 0.0
    cost_source: CostSource = CostSource.NONE
    attempts: Count = 0
    cluster: int | None = None
    """Index into the signal's candidates; ``null`` when the label is no answer."""
    marks: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _label_only_for_answers(self) -> Self:
        if (self.label is not None) != (self.label_kind is LabelKind.ANSWER):
            raise ValueError("label must be given exactly when label_kind is answer")
        return self

    def calibrated(self, confidence: float | None) -> Self:
        """The entry with its calibrated confidence, in [0, 1]: `model_copy`, in a fraction of its time."""
        copied = object.__new__(type(self))
        put = object.__setattr__
        put(copied, "__dict__", {**self.__dict__, "confidence": confidence})
        put(copied, "__pydantic_fields_set__", self.__pydantic_fields_set__ | {"confidence"})
        put(copied, "__pydantic_extra__", None)
        put(copied, "__pydantic_private__", None)
        return copied


class Disagreement(Frozen):
    """Statistics of one ballot. ``entropy`` in nats over clusters; ``margin`` and ``agreement`` may be ``null``."""

    kind: Kind
    effective_votes: NonNegative
    effective_votes_source: Literal["fitted", "assumed"]
    entropy: NonNegative
    margin: Annotated[float, Field(ge=0, le=1)] | None = None
    agreement: Annotated[float, Field(ge=-1, le=1)] | None = None


class Certificate(Frozen):
    """Among accepted requests of ``class_``, error ≤ ``alpha`` with probability ≥ 1 − ``delta``."""

    class_: str = Field(alias="class")
    alpha: Probability
    delta: Probability
    n: Count
    method: str
    threshold: Probability
    snapshot_version: str
    issued_at: Time
    revoked_by: str


class ArbiterCall(Frozen):
    """One call of an arbiter: the order in which candidates were shown (candidate ids) and what it decided."""

    purpose: Literal["solve", "compare", "repair"]
    order: tuple[str, ...] = ()
    decision: str | None = None
    failure: Failure | None = None
    latency_ms: Count = 0
    tokens_in: Count = 0
    tokens_out: Count = 0
    cost: NonNegative = 0.0
    attempts: Count = 0


class Arbitration(Frozen):
    """What an arbiter ruled. ``label`` only when ``decision`` is ``decided``. Never an outcome."""

    arbiter: str
    family: str
    model_version: str | None = None
    decision: Literal["decided", "flip", "tie", "none_correct", "abstain", "failed"]
    label: LabelValue = None
    reasons: tuple[str, ...] = ()
    prompt_hash: str | None = None
    calls: tuple[ArbiterCall, ...] = ()
    rationale: str | None = None
    """Model text, hostile input: shown as the model's words, never as the reason for the decision."""


class AuditDraw(Frozen):
    selected: bool = False
    propensity: Probability = 0.0


class Verdict(Frozen):
    """The outcome sent to the caller. ``answer`` is ``null`` unless accepted, arbitrated or reviewed."""

    request_id: Identifier
    tenant: Identifier
    version: Annotated[int, Field(ge=1)]
    supersedes: Annotated[int, Field(ge=1)] | None = None
    status: Status
    answer: LabelValue = None
    confidence: Probability | None = None
    certificate: Certificate | None = None
    uncertified: bool
    route: Route
    reasons: tuple[str, ...] = ()
    disagreement: Disagreement
    ballot: tuple[BallotEntry, ...] = ()
    dissent: tuple[str, ...] = ()
    """Names of the models whose answer lies outside the top cluster."""
    degraded: bool
    arbitration: Arbitration | None = None
    audit: AuditDraw = AuditDraw()
    policy_version: str
    snapshot_version: str | None = None
    prompt_hash: str | None = None
    cost: NonNegative = 0.0
    cost_multiple: NonNegative | None = None
    latency_ms: Count = 0
    decided_at: Time

    @model_validator(mode="after")
    def _answer_only_when_final(self) -> Self:
        final = self.status in (Status.ACCEPTED, Status.ARBITRATED, Status.REVIEWED)
        if (self.answer is not None) != final:
            raise ValueError("answer must be given exactly when status is accepted, arbitrated or reviewed")
        return self


# ---------------------------------------------------------------- people and truth


class Candidate(Frozen):
    id: Identifier
    label: LabelValue


class ReviewTask(Frozen):
    """A case for a person. Blind: no model names, votes or confidences; candidates are shuffled."""

    task_id: Identifier
    request_id: Identifier
    tenant: Identifier
    domain: Identifier
    stakes: Stakes
    question: str
    context: str | None = None
    answer: AnswerSpec
    candidates: tuple[Candidate, ...] = ()
    priority: Count = 0
    due_at: Time
    overlap: Annotated[int, Field(ge=1, le=9)] = 1
    created_at: Time


class RulingDecision(StrEnum):
    ANSWER = "answer"
    NONE_CORRECT = "none_correct"
    UNANSWERABLE = "unanswerable"
    ABSTAIN = "abstain"
    INJECTION = "injection"


class Ruling(Frozen):
    """What a reviewer decided on a task."""

    task_id: Identifier
    request_id: Identifier
    tenant: Identifier = "default"
    reviewer: Identifier
    decision: RulingDecision
    answer: LabelValue = None
    blind: bool
    note: str | None = None
    lease_token: str | None = None
    decided_at: Time

    @model_validator(mode="after")
    def _answer_only_for_answers(self) -> Self:
        if (self.answer is not None) != (self.decision is RulingDecision.ANSWER):
            raise ValueError("answer must be given exactly when decision is answer")
        return self


class OutcomeSource(StrEnum):
    BLIND_REVIEW = "blind_review"
    AUDIT = "audit"
    GOLD = "gold"
    FEEDBACK = "feedback"


class Outcome(Frozen):
    """Ground truth for a request. ``label`` ``null`` means: a person found no answer of the spec to be right."""

    outcome_id: Identifier
    request_id: Identifier
    tenant: Identifier = "default"
    label: LabelValue = None
    source: OutcomeSource
    propensity: Annotated[float, Field(gt=0, le=1)] | None = None
    observed_at: Time


class Circumstances(Frozen):
    """What routing looked at beside ballot, snapshot and policy: with these three it determines the verdict.

    ``suspended``: why the class was on hold. ``expired``: whether the deadline had passed. ``marks``: codes of the
    injection detectors that fired on the request. ``quorum`` and ``min_families`` are the panel's.
    """

    suspended: str | None = None
    expired: bool = False
    marks: tuple[str, ...] = ()
    quorum: Annotated[int, Field(ge=1)]
    min_families: Annotated[int, Field(ge=0)]


class Signal(Frozen):
    """One event per decision for the calibration store. Ingesting it twice changes nothing.

    ``candidates`` are what the posterior ranges over: all options (choice, boolean) or one value per answer cluster
    (open answers; then ``posterior`` has one more entry, "none of these"). ``ballot[i].cluster`` indexes them.
    """

    event_id: Identifier
    request_id: Identifier
    tenant: Identifier
    version: Annotated[int, Field(ge=1)]
    domain: Identifier
    stakes: Stakes
    policy: Identifier
    class_: str = Field(alias="class")
    answer: AnswerSpec
    candidates: tuple[LabelValue, ...] = ()
    posterior: tuple[Probability, ...] | None = None
    ballot: tuple[BallotEntry, ...] = ()
    kind: Kind
    route: Route
    status: Status
    top: LabelValue = None
    """The leading label whatever the route (``null`` on a tie or without opinions): for statistics, not for callers."""
    confidence: Probability | None = None
    full_panel: bool
    audit: AuditDraw = AuditDraw()
    arbitration: Arbitration | None = None
    circumstances: Circumstances | None = None
    policy_version: str
    snapshot_version: str | None = None
    prompt_hash: str | None = None
    cost: NonNegative = 0.0
    decided_at: Time


class Vote(Frozen):
    """One answer as it arrives, best effort, for callers who stream."""

    request_id: Identifier
    tenant: Identifier
    entry: BallotEntry


class Decision(Frozen):
    """All that one decision publishes: committed together or not at all (I3)."""

    verdict: Verdict
    signal: Signal | None = None
    review: ReviewTask | None = None
    outcome: Outcome | None = None
