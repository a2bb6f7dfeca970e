"""The demonstration's cases: 64 written by hand (questions.jsonl), and seeded vignettes that a rule answers.

All are ours. They show the machinery; they say nothing about law, medicine, finance or security.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from consensus.types import LabelValue, Request, Stakes


@dataclass(frozen=True)
class Case:
    """A request with its right answer; of an open question, several accepted texts."""

    request: Request
    gold: LabelValue | tuple[str, ...]

    def under(self, request_id: str, stakes: Stakes | None = None) -> Case:
        """The same question as a new request, at other stakes where given."""
        changes = {"id": request_id} if stakes is None else {"id": request_id, "stakes": stakes}
        return Case(self.request.model_copy(update=changes), self.gold)

    def truth(self) -> dict[str, Any]:
        """What the simulated provider is told about the question; it never sees ids."""
        spec = self.request.answer.model_dump(mode="json")
        return {"question": self.request.prompt, "domain": self.request.domain, "answer": spec, "gold": self.gold}


def written() -> list[Case]:
    """The cases written by hand: 16 in each of four domains, over all stakes."""
    lines = files("consensus.demo").joinpath("questions.jsonl").read_text(encoding="utf-8").splitlines()
    return [_case(json.loads(line)) for line in lines]


def vignettes(count: int, seed: int) -> list[Case]:
    """``count`` cases drawn from the rules below, domains in turn, no question twice."""
    draw = random.Random(seed)
    domains = list(RULES)
    cases: list[Case] = []
    seen: set[str] = set()
    while len(cases) < count:
        domain = domains[len(cases) % len(domains)]
        prompt, answer, gold = draw.choice(RULES[domain])(draw)
        if prompt in seen:
            continue
        seen.add(prompt)
        stakes = draw.choice([stakes.value for stakes in Stakes])
        raw = {"id": f"earlier-{len(cases):04d}", "domain": domain, "stakes": stakes, "prompt": prompt}
        cases.append(_case({**raw, "answer": answer, "gold": gold}))
    return cases


def _case(raw: dict[str, Any]) -> Case:
    return Case(Request.model_validate(raw), raw["gold"])


Rule = Callable[[random.Random], tuple[str, dict[str, Any], Any]]
YES_NO: dict[str, Any] = {"type": "boolean"}


def _choice(*options: str) -> dict[str, Any]:
    return {"type": "choice", "options": list(options)}


def _notice(draw: random.Random) -> tuple[str, dict[str, Any], Any]:
    weeks, given = draw.randint(2, 12), draw.randint(5, 90)
    prompt = (
        f"A service contract may be ended with {weeks} weeks' notice. The customer gave notice {given} days before the "
        "day on which she stopped paying. Was the notice period kept?"
    )
    return prompt, YES_NO, given >= 7 * weeks


def _limitation(draw: random.Random) -> tuple[str, dict[str, Any], Any]:
    period, elapsed, pause = draw.choice([2, 3, 5, 6]), draw.randint(1, 8), draw.randint(0, 3)
    prompt = (
        f"A claim is barred after {period} years. {elapsed} years have passed since it arose, of which {pause} do not "
        "count because the parties were negotiating. What is the claim's state?"
    )
    return (
        prompt,
        _choice("barred", "enforceable", "premature"),
        "barred" if elapsed - pause > period else "enforceable",
    )


def _penalty(draw: random.Random) -> tuple[str, dict[str, Any], Any]:
    daily, days, cap = draw.choice([150, 200, 350]), draw.randint(3, 40), draw.choice([2_000, 4_000, 5_000])
    prompt = (
        f"A delay costs {daily} a day, capped at {cap} in all. Delivery was {days} days late. "
        "How much is owed for the delay?"
    )
    return prompt, {"type": "number", "unit": "EUR", "abs_tolerance": 0.5}, min(daily * days, cap)


def _triage(draw: random.Random) -> tuple[str, dict[str, Any], Any]:
    pulse, saturation, alert = draw.randint(60, 150), draw.randint(82, 99), draw.random() < 0.7
    prompt = (
        "A ward's rule: immediate when saturation is below 90 or the patient is not alert; urgent when the pulse is "
        f"above 120; otherwise routine. Pulse {pulse}, saturation {saturation}, "
        f"{'alert' if alert else 'not alert'}. Which level applies?"
    )
    gold = "immediate" if saturation < 90 or not alert else "urgent" if pulse > 120 else "routine"
    return prompt, _choice("immediate", "urgent", "routine"), gold


def _dose(draw: random.Random) -> tuple[str, dict[str, Any], Any]:
    per_kg, weight, most = draw.choice([5, 7.5, 10, 12.5]), draw.randint(12, 95), draw.choice([400, 500, 600])
    prompt = (
        f"The dose is {per_kg} mg per kg, at most {most} mg. The patient weighs {weight} kg. "
        "Which single dose is given?"
    )
    return prompt, {"type": "number", "unit": "mg", "abs_tolerance": 0.5}, min(per_kg * weight, most)


def _interaction(draw: random.Random) -> tuple[str, dict[str, Any], Any]:
    hours, needed = draw.randint(1, 14), draw.choice([4, 6, 8, 12])
    prompt = (
        f"Two medicines must be taken at least {needed} hours apart. The first was taken {hours} hours ago. "
        "May the second be taken now?"
    )
    return prompt, YES_NO, hours >= needed


def _transfer(draw: random.Random) -> tuple[str, dict[str, Any], Any]:
    amount, age, known = draw.randint(1, 60) * 500, draw.randint(1, 400), draw.random() < 0.5
    prompt = (
        "A bank's rule: block transfers above 20,000 from accounts younger than 90 days; hold transfers above 10,000 "
        f"to a new payee; release all others. Amount {amount}, account age {age} days, "
        f"{'known' if known else 'new'} payee. What happens?"
    )
    gold = "block" if amount > 20_000 and age < 90 else "hold" if amount > 10_000 and not known else "release"
    return prompt, _choice("block", "hold", "release"), gold


def _interest(draw: random.Random) -> tuple[str, dict[str, Any], Any]:
    principal, rate, months = draw.randint(2, 40) * 600, draw.choice([3, 4, 5, 6, 8]), draw.choice([2, 3, 4, 6, 8, 9])
    prompt = f"What simple interest does {principal} bear at {rate} percent a year in {months} months?"
    return prompt, {"type": "number", "unit": "USD", "abs_tolerance": 0.5}, principal * rate * months / 1200


def _covenant(draw: random.Random) -> tuple[str, dict[str, Any], Any]:
    debt, profit, limit = draw.randint(10, 60), draw.randint(4, 16), draw.choice([3, 3.5, 4])
    prompt = (
        f"A loan requires that net debt stays at or below {limit} times EBITDA. Net debt is {debt} million and EBITDA "
        f"{profit} million. Is the covenant kept?"
    )
    return prompt, YES_NO, debt <= limit * profit


def _alert(draw: random.Random) -> tuple[str, dict[str, Any], Any]:
    failures, success, foreign = draw.randint(0, 60), draw.random() < 0.5, draw.random() < 0.5
    prompt = (
        "A rule: escalate when more than 20 failed logins are followed by a success, or a success comes from a new "
        "country; watch when there are more than 20 failures without a success; otherwise ignore. "
        f"{failures} failures, "
        f"{'then a success' if success else 'no success'} from a {'new' if foreign else 'known'} country. What follows?"
    )
    gold = "escalate" if success and (failures > 20 or foreign) else "watch" if failures > 20 else "ignore"
    return prompt, _choice("escalate", "watch", "ignore"), gold


def _patch(draw: random.Random) -> tuple[str, dict[str, Any], Any]:
    score, age = draw.choice([5.4, 6.8, 7.5, 8.8, 9.8]), draw.randint(1, 60)
    prompt = (
        "Policy: flaws scored 9.0 or more are patched within 7 days, 7.0 to 8.9 within 30 days, others within 90. "
        f"A flaw scored {score} has been open for {age} days. Is it overdue?"
    )
    return prompt, YES_NO, age > (7 if score >= 9 else 30 if score >= 7 else 90)


def _hosts(draw: random.Random) -> tuple[str, dict[str, Any], Any]:
    prefix, used = draw.randint(22, 29), draw.randint(0, 5)
    prompt = (
        f"An IPv4 network with prefix length {prefix} reserves its network and broadcast address and has {used} hosts. "
        "How many further hosts fit?"
    )
    return prompt, {"type": "number", "abs_tolerance": 0.1}, 2 ** (32 - prefix) - 2 - used


RULES: dict[str, tuple[Rule, ...]] = {
    "law": (_notice, _limitation, _penalty),
    "medicine": (_triage, _dose, _interaction),
    "finance": (_transfer, _interest, _covenant),
    "security": (_alert, _patch, _hosts),
}
"""The rules by domain: each draws one case and works out its answer."""
