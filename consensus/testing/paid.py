"""I5: every paid call is in the ledger and within its request's budget; a recorded answer is never paid for again.

Calls of the panel are told apart by their words, which hold a nonce of the request; calls of arbiters are counted by
model. A call that reached the provider and is in no stored decision was paid for in vain: that is excused only as far
as the test's crashes explain it (`Allowed.paid_again`).
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping

from pydantic import TypeAdapter

from consensus import answers
from consensus.case import Case
from consensus.testing.run import Key, Run, Violation
from consensus.types import Answer, Verdict

PANEL = "panel:"
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
    """Calls that the provider saw beyond the attempts that the ledger holds, by request (panel) or model (others).

    Right after a crash these are the answers that could not be recorded; at the end of a run, calls paid for in vain.
    """
    seen: Counter[tuple[str, str]] = Counter((call.model, call.prompt) for call in run.evidence.calls)
    ledger = _ledger(run)
    again: Counter[str] = Counter()
    for asked in run.asked:
        if asked.case is None or asked.key is None:
            continue
        words = prompt_digest(asked.case)
        for name in asked.case.panel.models:
            model = run.settings.models[name].model.partition("/")[2]
            held = ledger.get(asked.key, {}).get(f"{PANEL}{name}")
            again[f"{asked.key[1]} {name}"] += max(0, seen.pop((model, words), 0) - (held.attempts if held else 0))
    others: Counter[str] = Counter()
    for (model, _), count in seen.items():
        others[model] += count
    for recorded in ledger.values():
        for call, answer in recorded.items():
            if not call.startswith(PANEL):
                others[run.settings.models[answer.model].model.partition("/")[2]] -= answer.attempts
    return again + Counter({model: count for model, count in others.items() if count > 0})


def prompt_digest(case: Case) -> str:
    """How the provider's log names the words that the panel is asked a request in."""
    prompt = answers.prompt(case.request, case.nonce)
    return hashlib.sha256("\n\n".join(message.content for message in prompt.messages).encode()).hexdigest()


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
