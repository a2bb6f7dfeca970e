"""SIMULATED models: no language model anywhere, only seeded draws whose truth is known. They show the machinery.

What model m says to question q depends on hash(seed, m, q's text) alone, so the same question under another id gets the
same answer, and nothing depends on the order or time of calls.

**Skill.** m is right when ``√.60·d(q) + √.12·f(q, family) + √.28·e(q, m) < Φ⁻¹(skill)``, with d, f and e independent
standard normal draws and the skill from the table below, so P(right) is the skill. **Correlated errors.** Difficulty d
is shared by all models and f by a family: at skills around .75 the right-or-wrong of two models of different families
correlates by about .4 (phi), within a family by about .5. **Shared mistakes.** Every question has one tempting wrong
answer; a model that is wrong gives it with probability .6, else another wrong answer where there is one.

**Confidence** is verbal and over-confident: the model's true probability p of being right given d and f is stated as
``logit⁻¹(2.2 + 0.25·logit(p) + noise)``: it says something about p, but .9 is stated where p is .5. **Failures** at
fixed small rates: refusals and cut-off replies here, those of the provider itself in `consensus.demo.trouble`.
"""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

from consensus.demo.speech import Reply, spoken
from consensus.demo.truth import Truth
from consensus.demo.wrong import wrong_answers

SHARED, FAMILY = 0.60, 0.12
"""Shares of the variance that a question has for all models, and for a family."""
TEMPTING = 0.6
"""Probability that a wrong model makes the mistake that most make."""
SLOPE, BOAST, MOOD = 0.25, 2.2, 0.6
"""Over-confidence: stated log-odds are ``BOAST + SLOPE``·true ones, with normal noise of deviation ``MOOD``."""

REFUSAL = Reply("I'm sorry, but I can't help with that.")

_NORMAL = NormalDist()


@dataclass(frozen=True)
class Simulated:
    """A simulated model: skill by domain (``default`` for others), median latency in seconds, how it writes."""

    name: str
    family: str
    skill: dict[str, float]
    latency_s: float
    style: str
    refuses: float = 0.01
    judge: float = 0.8
    """As an arbiter: the probability of finding the right one of two candidates."""


def _skill(law: float, medicine: float, finance: float, security: float) -> dict[str, float]:
    named = {"law": law, "medicine": medicine, "finance": finance, "security": security}
    return {**named, "default": sum(named.values()) / len(named)}


MODELS = {
    model.name: model
    for model in (
        Simulated("sim-atlas-1", "sim-atlas", _skill(0.82, 0.76, 0.85, 0.80), 0.12, "json"),
        Simulated("sim-atlas-mini", "sim-atlas", _skill(0.66, 0.62, 0.72, 0.68), 0.04, "json"),
        Simulated("sim-borealis-2", "sim-borealis", _skill(0.74, 0.82, 0.78, 0.72), 0.10, "fenced"),
        Simulated("sim-cetus-1", "sim-cetus", _skill(0.70, 0.74, 0.84, 0.78), 0.08, "prose"),
        Simulated("sim-dorado-3", "sim-dorado", _skill(0.78, 0.70, 0.74, 0.84), 0.15, "json"),
        Simulated("sim-eridanus-1", "sim-eridanus", _skill(0.68, 0.72, 0.70, 0.66), 0.06, "fenced", refuses=0.04),
        Simulated("sim-fornax-judge", "sim-fornax", _skill(0.84, 0.82, 0.86, 0.84), 0.20, "json", judge=0.88),
        Simulated("sim-grus-judge", "sim-grus", _skill(0.80, 0.80, 0.80, 0.80), 0.20, "json", judge=0.80),
    )
}
"""Eight models of seven families; the last two are meant as arbiters, since no panel family is theirs."""


def uniform(*parts: object) -> float:
    """A number in (0, 1) that depends on nothing but ``parts``."""
    digest = hashlib.sha256("\x1f".join(map(str, parts)).encode()).digest()
    return (int.from_bytes(digest[:7], "big") + 0.5) / 2**56


def normal(*parts: object) -> float:
    """A standard normal number that depends on nothing but ``parts``."""
    return _NORMAL.inv_cdf(uniform(*parts))


def answer(model: Simulated, truth: Truth, seed: int) -> Reply:
    """What ``model`` says to the question; see the module's text."""
    question = truth.question
    if uniform(seed, "refuses", model.name, question) < model.refuses:
        return REFUSAL
    skill = model.skill.get(truth.domain, model.skill["default"])
    common = math.sqrt(SHARED) * normal(seed, "difficulty", question)
    common += math.sqrt(FAMILY) * normal(seed, "family", model.family, question)
    own_share = math.sqrt(1 - SHARED - FAMILY)
    bar = _NORMAL.inv_cdf(skill)
    right = common + own_share * normal(seed, "own", model.name, question) < bar
    value = truth.gold if right else _mistake(model, truth, seed)
    chance = _NORMAL.cdf((bar - common) / own_share)
    reply = spoken(model.style, truth.answer, value, _stated(chance, normal(seed, "tone", model.name, question)))
    return _cut(reply) if uniform(seed, "cut", model.name, question) < 0.01 else reply


def latency_s(model: Simulated, question: str, seed: int) -> float:
    """Log-normal around the model's median; one call in a hundred takes about three times as long."""
    return model.latency_s * math.exp(0.45 * normal(seed, "latency", model.name, question))


def _mistake(model: Simulated, truth: Truth, seed: int) -> Any:
    wrong = wrong_answers(truth.answer, truth.gold)
    tempting = wrong[int(uniform(seed, "tempting", truth.question) * len(wrong))]
    if len(wrong) == 1 or uniform(seed, "tempted", model.name, truth.question) < TEMPTING:
        return tempting
    others = [value for value in wrong if json.dumps(value) != json.dumps(tempting)]
    return others[int(uniform(seed, "which", model.name, truth.question) * len(others))]


def _stated(chance: float, noise: float) -> float:
    chance = min(max(chance, 0.01), 0.99)
    boast = SLOPE * math.log(chance / (1 - chance)) + BOAST + MOOD * noise
    return min(round(1 / (1 + math.exp(-boast)), 2), 0.99)


def _cut(reply: Reply) -> Reply:
    return Reply(reply.text[: len(reply.text) // 3], finish_reason="length")
