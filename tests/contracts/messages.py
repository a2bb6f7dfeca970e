"""Hypothesis strategies for every message of the contract: all fields, all enum values, edges of every range."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import strategies as st

from consensus import types as t

TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
NAMES = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20)
COUNTS = st.one_of(st.integers(0, 10), st.integers(0, 2**53))
PROBABILITIES = st.one_of(st.sampled_from([0.0, 1.0]), st.floats(0, 1))
AMOUNTS = st.floats(0, 1e12)
TIMES = st.datetimes(datetime(1970, 1, 1), datetime(9999, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001  (st adds it)
NUMBERS = st.one_of(
    st.integers(-(2**53), 2**53),
    # Negative zero is no number of the contract: JSON readers disagree about it.
    st.floats(allow_nan=False, allow_infinity=False).map(lambda x: 0.0 if x == 0 else x),
)
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS, TEXT, st.just("")),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXT, inner, max_size=3)),
    max_leaves=6,
)
OBJECTS = st.dictionaries(TEXT, JSON, max_size=3)
LABELS = JSON.filter(lambda value: value is not None)


def maybe(strategy: st.SearchStrategy) -> st.SearchStrategy:
    return st.none() | strategy


def many(strategy: st.SearchStrategy, min_size: int = 0) -> st.SearchStrategy:
    return st.lists(strategy, min_size=min_size, max_size=3).map(tuple)


def given_if(condition: bool, strategy: st.SearchStrategy) -> st.SearchStrategy:
    return strategy if condition else st.none()


OPTIONS = st.lists(st.builds(t.Option, id=NAMES, text=TEXT), min_size=2, max_size=4, unique_by=lambda o: o.id)
SPECS = st.one_of(
    st.builds(t.ChoiceSpec, options=OPTIONS),
    st.builds(t.BooleanSpec),
    st.builds(t.NumberSpec, unit=maybe(TEXT), abs_tolerance=maybe(AMOUNTS), rel_tolerance=maybe(AMOUNTS)),
    st.builds(t.LabelsSpec, options=OPTIONS),
    st.builds(
        t.ObjectSpec,
        schema=OBJECTS,
        # Empty and absent are one in protos.
        weights=maybe(st.dictionaries(TEXT, AMOUNTS, min_size=1, max_size=3)),
        critical=maybe(many(TEXT, min_size=1)),
    ),
    st.builds(t.TextSpec, equivalence=st.sampled_from([None, "exact", "lexical", "judge"])),
)
CHAT = many(st.builds(t.Message, role=st.sampled_from(["system", "user", "assistant"]), content=TEXT), min_size=1)


@st.composite
def _requests(draw: st.DrawFn) -> t.Request:
    chat = draw(st.booleans())
    return t.Request(
        id=draw(NAMES),
        tenant=draw(NAMES),
        domain=draw(NAMES),
        stakes=draw(st.sampled_from(t.Stakes)),
        policy=draw(maybe(NAMES)),
        prompt=draw(given_if(not chat, TEXT)),
        messages=draw(given_if(chat, CHAT)),
        context=draw(maybe(st.just("") | TEXT)),
        answer=draw(SPECS),
        deadline_ms=draw(maybe(st.integers(1, 7 * 86_400_000))),
        metadata=draw(maybe(OBJECTS)),
    )


@st.composite
def _entries(draw: st.DrawFn) -> t.BallotEntry:
    kind = draw(st.sampled_from(t.LabelKind))
    return t.BallotEntry(
        model=draw(TEXT),
        model_version=draw(maybe(TEXT)),
        family=draw(TEXT),
        label_kind=kind,
        label=draw(given_if(kind is t.LabelKind.ANSWER, LABELS)),
        confidence=draw(maybe(PROBABILITIES)),
        raw_confidence=draw(maybe(PROBABILITIES)),
        confidence_source=draw(st.sampled_from(t.ConfidenceSource)),
        failure=draw(maybe(st.sampled_from(t.Failure))),
        finish_reason=draw(maybe(TEXT)),
        latency_ms=draw(COUNTS),
        tokens_in=draw(COUNTS),
        tokens_out=draw(COUNTS),
        cost=draw(AMOUNTS),
        cost_source=draw(st.sampled_from(t.CostSource)),
        attempts=draw(COUNTS),
        cluster=draw(maybe(st.integers(0, 300))),
        marks=draw(many(TEXT)),
    )


DISAGREEMENTS = st.builds(
    t.Disagreement,
    kind=st.sampled_from(t.Kind),
    effective_votes=AMOUNTS,
    effective_votes_source=st.sampled_from(["fitted", "assumed"]),
    entropy=AMOUNTS,
    margin=maybe(PROBABILITIES),
    agreement=maybe(st.floats(-1, 1)),
)
CERTIFICATES = st.builds(
    t.Certificate,
    class_=TEXT,
    alpha=PROBABILITIES,
    delta=PROBABILITIES,
    n=COUNTS,
    method=TEXT,
    threshold=PROBABILITIES,
    snapshot_version=TEXT,
    issued_at=TIMES,
    revoked_by=TEXT,
)
CALLS = st.builds(
    t.ArbiterCall,
    purpose=st.sampled_from(["solve", "compare", "repair"]),
    order=many(TEXT),
    decision=maybe(TEXT),
    failure=maybe(st.sampled_from(t.Failure)),
    latency_ms=COUNTS,
    tokens_in=COUNTS,
    tokens_out=COUNTS,
    cost=AMOUNTS,
    attempts=COUNTS,
)
ARBITRATIONS = st.builds(
    t.Arbitration,
    arbiter=TEXT,
    family=TEXT,
    model_version=maybe(TEXT),
    decision=st.sampled_from(["decided", "flip", "tie", "none_correct", "abstain", "failed"]),
    label=maybe(LABELS),
    reasons=many(TEXT),
    prompt_hash=maybe(TEXT),
    calls=many(CALLS),
    rationale=maybe(TEXT),
)
DRAWS = st.builds(t.AuditDraw, selected=st.booleans(), propensity=PROBABILITIES)
ENTRIES = _entries()
FINAL = (t.Status.ACCEPTED, t.Status.ARBITRATED, t.Status.REVIEWED)


@st.composite
def _verdicts(draw: st.DrawFn) -> t.Verdict:
    status = draw(st.sampled_from(t.Status))
    return t.Verdict(
        request_id=draw(NAMES),
        tenant=draw(NAMES),
        version=draw(st.integers(1, 99)),
        supersedes=draw(maybe(st.integers(1, 99))),
        status=status,
        answer=draw(given_if(status in FINAL, LABELS)),
        confidence=draw(maybe(PROBABILITIES)),
        certificate=draw(maybe(CERTIFICATES)),
        uncertified=draw(st.booleans()),
        route=draw(st.sampled_from(t.Route)),
        reasons=draw(many(TEXT)),
        disagreement=draw(DISAGREEMENTS),
        ballot=draw(many(ENTRIES)),
        dissent=draw(many(TEXT)),
        degraded=draw(st.booleans()),
        arbitration=draw(maybe(ARBITRATIONS)),
        audit=draw(DRAWS),
        policy_version=draw(TEXT),
        snapshot_version=draw(maybe(TEXT)),
        prompt_hash=draw(maybe(TEXT)),
        cost=draw(AMOUNTS),
        cost_multiple=draw(maybe(AMOUNTS)),
        latency_ms=draw(COUNTS),
        decided_at=draw(TIMES),
    )


@st.composite
def _rulings(draw: st.DrawFn) -> t.Ruling:
    decision = draw(st.sampled_from(t.RulingDecision))
    return t.Ruling(
        task_id=draw(NAMES),
        request_id=draw(NAMES),
        tenant=draw(NAMES),
        reviewer=draw(NAMES),
        decision=decision,
        answer=draw(given_if(decision is t.RulingDecision.ANSWER, LABELS)),
        blind=draw(st.booleans()),
        note=draw(maybe(TEXT)),
        lease_token=draw(maybe(TEXT)),
        decided_at=draw(TIMES),
    )


REQUESTS = _requests()
VERDICTS = _verdicts()
RULINGS = _rulings()
VOTES = st.builds(t.Vote, request_id=NAMES, tenant=NAMES, entry=ENTRIES)
TASKS = st.builds(
    t.ReviewTask,
    task_id=NAMES,
    request_id=NAMES,
    tenant=NAMES,
    domain=NAMES,
    stakes=st.sampled_from(t.Stakes),
    question=TEXT,
    context=maybe(TEXT),
    answer=SPECS,
    candidates=many(st.builds(t.Candidate, id=NAMES, label=LABELS)),
    priority=COUNTS,
    due_at=TIMES,
    overlap=st.integers(1, 9),
    created_at=TIMES,
)
OUTCOMES = st.builds(
    t.Outcome,
    outcome_id=NAMES,
    request_id=NAMES,
    tenant=NAMES,
    label=maybe(LABELS),
    source=st.sampled_from(t.OutcomeSource),
    propensity=maybe(st.floats(0, 1, exclude_min=True)),
    observed_at=TIMES,
)
SIGNALS = st.builds(
    t.Signal,
    event_id=NAMES,
    request_id=NAMES,
    tenant=NAMES,
    version=st.integers(1, 99),
    domain=NAMES,
    stakes=st.sampled_from(t.Stakes),
    policy=NAMES,
    class_=TEXT,
    answer=SPECS,
    candidates=many(LABELS),
    posterior=maybe(many(PROBABILITIES)),
    ballot=many(ENTRIES),
    kind=st.sampled_from(t.Kind),
    route=st.sampled_from(t.Route),
    status=st.sampled_from(t.Status),
    top=maybe(LABELS),
    confidence=maybe(PROBABILITIES),
    full_panel=st.booleans(),
    audit=DRAWS,
    arbitration=maybe(ARBITRATIONS),
    policy_version=TEXT,
    snapshot_version=maybe(TEXT),
    prompt_hash=maybe(TEXT),
    cost=AMOUNTS,
    decided_at=TIMES,
)
ANSWERS = st.builds(
    t.Answer,
    model=TEXT,
    model_version=maybe(TEXT),
    family=TEXT,
    text=maybe(TEXT),
    structured=st.booleans(),
    finish_reason=maybe(TEXT),
    failure=maybe(st.sampled_from(t.Failure)),
    logprobs=maybe(
        many(
            st.builds(
                t.TokenLogprob,
                token=TEXT,
                logprob=st.floats(-1e6, 0),
                top=many(st.tuples(TEXT, st.floats(-1e6, 0))),
            )
        )
    ),
    tokens_in=COUNTS,
    tokens_out=COUNTS,
    cost=AMOUNTS,
    cost_source=st.sampled_from(t.CostSource),
    latency_ms=COUNTS,
    attempts=COUNTS,
    prompt_hash=maybe(TEXT),
)

ON_KAFKA = {
    t.Request: REQUESTS,
    t.Verdict: VERDICTS,
    t.Vote: VOTES,
    t.ReviewTask: TASKS,
    t.Ruling: RULINGS,
    t.Outcome: OUTCOMES,
    t.Signal: SIGNALS,
    t.Answer: ANSWERS,
}
"""Every message that is stored or sent as JSON."""
