"""SIMULATED arbiters: what a simulated model decides when a prompt puts two candidates before it.

Of two candidates of which one is right, it finds the right one with its ``judge`` probability, whatever the order: the
draw depends on the question, not on the presentation. In 12 questions of 100 it takes whatever stands first instead,
which a service that asks in both orders sees as a flip; in 5 of 100 it abstains. Where neither is right it says so with
probability .6, else it takes the one whose text comes first in the alphabet.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from typing import Any

from consensus.demo.simulated import Simulated, uniform
from consensus.demo.speech import Reply
from consensus.demo.truth import Truth
from consensus.types import ChoiceSpec, LabelsSpec, NumberSpec

POSITION_BIAS, DOUBT, FINDS_NONE = 0.12, 0.05, 0.6

_OFFER = re.compile(r'"decision":\s?"<one of: ([^>]{1,2000})>"')
_CANDIDATE = re.compile(r"^candidate (\S{1,64}):\n<<[^>\n]{1,64}>>\n(.*?)\n<</", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Offer:
    """The candidates of a comparison in the order shown: (id, text)."""

    candidates: tuple[tuple[str, str], ...]


def offer(prompt: str) -> Offer | None:
    """The candidates that a prompt asks to decide between, or ``None`` when it asks for something else."""
    decisions = _OFFER.search(prompt)
    if decisions is None:
        return None
    allowed = {word.strip() for word in decisions[1].split(",")}
    shown = tuple((name, text) for name, text in _CANDIDATE.findall(prompt) if name in allowed)
    return Offer(shown) if len(shown) >= 2 else None


def decide(model: Simulated, truth: Truth, offered: Offer, seed: int) -> Reply:
    """The decision of ``model`` between the candidates; see the module's text."""
    draw = uniform(seed, "judge", model.name, truth.question)
    if draw < POSITION_BIAS:
        return _said(offered.candidates[0][0])
    if draw < POSITION_BIAS + DOUBT:
        return _said("abstain")
    right = [name for name, text in offered.candidates if _is_gold(truth, text)]
    others = sorted((text, name) for name, text in offered.candidates if name not in right)
    sees = uniform(seed, "sees", model.name, truth.question)
    if right:
        return _said(right[0] if sees < model.judge or not others else others[0][1])
    return _said("none_correct" if sees < FINDS_NONE else others[0][1])


def _is_gold(truth: Truth, text: str) -> bool:
    """Whether a candidate's text stands for the right answer: ``id: text`` for options, JSON for everything else."""
    gold = truth.gold
    if isinstance(truth.answer, ChoiceSpec):
        return text.startswith(f"{gold}:")
    if isinstance(truth.answer, LabelsSpec):
        ids = {line.partition(":")[0] for line in text.splitlines() if ":" in line}
        return isinstance(gold, list) and ids == set(gold)
    value = _json(text)
    if isinstance(truth.answer, NumberSpec) and isinstance(value, int | float) and isinstance(gold, int | float):
        return math.isclose(
            value, gold, rel_tol=truth.answer.rel_tolerance or 1e-9, abs_tol=truth.answer.abs_tolerance or 0.0
        )
    return bool(value == gold)


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _said(decision: str) -> Reply:
    return Reply(json.dumps({"reasoning": "Simulated decision.", "decision": decision}))
