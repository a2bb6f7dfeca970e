"""I5: every paid call is in the ledger and within its request's budget; a recorded answer is never paid for again.

Every call, of the panel, of arbiters and of judges, says in a header whose it is. A call that reached the provider and
is in no stored decision was paid for in vain: that is excused only as far as the test's crashes explain it
(`Allowed.paid_again`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from pydantic import TypeAdapter

from consensus.case import Case
from consensus.models.protocol import call_id
from consensus.testing.run import Key, Run, Violation
from consensus.types import Answer, Verdict

ROUNDING = 1e-9
"""Sums of money are floating point."""

_RECORDED: TypeAdapter[dict[str, Answer]] = TypeAdapter(dict[str, Answer])


def check(run: Run) -> Iterator[Violation]:
    """Calls beyond what the ledger holds, decisions over budget, costs that do not add up."""
    cases = {asked.key: asked.case for asked in run.asked if asked.key is not None and asked.case is not None}
    ledger = _ledger(run)
    for (tenant, request_id), recorded in ledger.items():
        case = cases.get((tenant, request_id))
        if case is not None:
            yield from _budget(f"{tenant}:{request_id}", case, recorded)
    yield from _costs(run, ledger)
    again = paid_again(run)
    if sum(again.values()) > run.allowed.paid_again:
        worst = ", ".join(f"{where} ×{count}" for where, count in again.most_common(5))
        what = f"{sum(again.values())} calls paid for again, {run.allowed.paid_again} excused: {worst}"
        yield Violation("I5", "provider", what)
    committed = {version.key for version in run.evidence.versions if version.committed}
    for tenant, request_id in sorted(committed & run.evidence.answers.keys()):
        yield Violation("I5", f"{tenant}:{request_id}", "its answers are still in the ledger after the commit")


def paid_again(run: Run) -> Counter[str]:
    """Calls that the provider saw beyond the attempts that the ledger holds, by request and model.

    Right after a crash these are the answers that could not be recorded; at the end of a run, calls paid for in vain.
    """
    ids = {call_id(*asked.key): asked.key[1] for asked in run.asked if asked.key is not None}
    seen = Counter((call.request, call.model) for call in run.evidence.calls)
    held: Counter[tuple[str | None, str]] = Counter()
    for key, recorded in _ledger(run).items():
        for answer in recorded.values():
            held[call_id(*key), _asked_as(run, answer)] += answer.attempts
    again: Counter[str] = Counter()
    for (request, model), count in (seen - held).items():
        again[f"{ids.get(request or '', 'nobody')} {model}"] += count
    return again


def _asked_as(run: Run, answer: Answer) -> str:
    """The name under which the provider knows the model that answered."""
    return run.settings.models[answer.model].model.partition("/")[2]


def _ledger(run: Run) -> Mapping[Key, Mapping[str, Answer]]:
    """What was paid for each request, by call: kept with its first version, or not decided yet."""
    decided = {
        version.key: _RECORDED.validate_json(version.answers)
        for version in run.evidence.versions
        if version.version == 1 and version.answers is not None
    }
    return {**run.evidence.answers, **decided}


def _budget(where: str, case: Case, recorded: Mapping[str, Answer]) -> Iterator[Violation]:
    calls = sum(answer.attempts for answer in recorded.values())
    if calls > case.policy.budget.calls:
        yield Violation("I5", where, f"{calls} calls with a budget of {case.policy.budget.calls}")


def _costs(run: Run, ledger: Mapping[Key, Mapping[str, Answer]]) -> Iterator[Violation]:
    for version in run.evidence.versions:
        if version.version != 1 or version.key not in ledger:
            continue
        verdict = Verdict.model_validate_json(version.verdict)
        paid = sum(answer.cost for answer in ledger[version.key].values())
        if abs(paid - verdict.cost) > ROUNDING:
            where = f"{version.tenant}:{version.request_id}"
            yield Violation("I5", where, f"the verdict says ${verdict.cost:g}, the ledger ${paid:g}")
