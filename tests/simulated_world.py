"""A world whose truth is known in closed form: numbered questions, members of known skill, a reviewer who is right.

Member m answers question i right with probability ``SKILLS[m]``, independently of all else, so that the error of every
vote pattern can be worked out. Everything depends on the question's id alone.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import numpy as np

from calibration.ballots import Ballots
from calibration.fitting import fit
from calibration.sampling import uniform
from calibration.snapshot import Snapshot
from consensus.models import Member
from consensus.models.protocol import Budget, Prompt
from consensus.pipeline import Resources
from consensus.policy import ModelPolicy, PanelPolicy, Policy
from consensus.types import Answer, Request, ReviewTask, Ruling

SKILLS = {"a": 0.92, "b": 0.85, "c": 0.8, "d": 0.75}
OPTIONS = ("A", "B", "C", "D")
DOMAINS = ("law", "health")
FITTED_AT = datetime(2026, 1, 1, tzinfo=UTC)
_ASKED = re.compile(r"question (\S+)\?")


def truth(ident: str) -> str:
    """The right option of a question."""
    return OPTIONS[int(uniform("truth", "", ident) * len(OPTIONS))]


def says(model: str, ident: str) -> str:
    """What a member says to a question."""
    right = OPTIONS.index(truth(ident))
    if uniform(f"right {model}", "", ident) < SKILLS[model]:
        return OPTIONS[right]
    return OPTIONS[(right + 1 + int(uniform(f"wrong {model}", "", ident) * 3)) % 4]


def request(ident: str, **changes: Any) -> Request:
    """A question; by its number of one of two domains."""
    domain = DOMAINS[int(uniform("domain", "", ident) * 2)]
    plain = {"id": ident, "domain": domain, "stakes": "low", "prompt": f"Which one answers question {ident}?"}
    return Request.model_validate({**plain, "answer": {"type": "choice", "options": list(OPTIONS)}, **changes})


class Knowing:
    """A member of the panel that answers numbered questions."""

    def __init__(self, name: str) -> None:
        self.name = name

    async def ask(self, prompt: Prompt, *, deadline: float, budget: Budget) -> Answer:
        budget.take_call()
        found = _ASKED.search(" ".join(message.content for message in prompt.messages))
        assert found is not None
        text = json.dumps({"answer": says(self.name, found[1]), "confidence": 0.9})
        plain = {"model": self.name, "model_version": f"{self.name}-v1", "family": f"family-{self.name}"}
        return Answer.model_validate({**plain, "text": text, "finish_reason": "stop", "prompt_hash": prompt.hash})


def panel() -> PanelPolicy:
    return PanelPolicy(name="main", models=tuple(SKILLS), quorum=2, min_families=2)


def policy(**changes: Any) -> Policy:
    """What all members say is released at low stakes; the rest goes to people."""
    plain = {"name": "default", "panel": "main", "accept_uncertified": "unanimous", "audit_rate": 0.0}
    return Policy.model_validate({**plain, **changes})


def resources(rules: Policy, **changes: Any) -> Resources:
    policies = [ModelPolicy(name=name, model=f"openai/{name}", family=f"family-{name}") for name in SKILLS]
    members = {one.name: Member(one, Knowing(one.name)) for one in policies}
    return Resources(members, {"main": panel()}, {"default": rules}, **changes)


def snapshot(labels: int = 400) -> Snapshot:
    """A fit on questions that nobody asks again."""
    ids = [f"fitted-{i}" for i in range(labels)]
    votes = [[OPTIONS.index(says(model, ident)) for model in SKILLS] for ident in ids]
    ballots = Ballots(
        models=tuple(SKILLS),
        families=tuple(f"family-{model}" for model in SKILLS),
        domains=tuple(request(ident).domain for ident in ids),
        answer_types=("choice",) * labels,
        ids=tuple(ids),
        votes=np.array(votes, dtype=np.int64),
        candidates=np.full(labels, len(OPTIONS), dtype=np.int64),
        open_set=np.zeros(labels, dtype=np.bool_),
        truth=np.array([OPTIONS.index(truth(ident)) for ident in ids], dtype=np.int64),
        confidence=np.full((labels, len(SKILLS)), np.nan),
    )
    found = fit(ballots, fitted_at=FITTED_AT)
    assert found is not None
    return found


def ruling(task: ReviewTask, wrongly: Mapping[str, str] | None = None) -> Ruling:
    """A blind reviewer's ruling: the right answer, or the decision that ``wrongly`` gives for an id."""
    decision = (wrongly or {}).get(task.request_id, "answer")
    plain = {"task_id": task.task_id, "request_id": task.request_id, "tenant": task.tenant, "reviewer": "ann"}
    answer = truth(task.request_id) if decision == "answer" else None
    decided = {"decision": decision, "answer": answer, "blind": True, "decided_at": datetime.now(UTC)}
    return Ruling.model_validate({**plain, **decided})
