"""The simulated models behind one provider: finds the question in the prompt and lets the model answer or judge it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from consensus.demo import judging, simulated
from consensus.demo.matching import Asked, Index
from consensus.demo.outcome import Outcome
from consensus.demo.simulated import MODELS, Simulated
from consensus.demo.speech import Reply
from consensus.demo.trouble import Chance
from consensus.demo.truth import Truth

UNKNOWN_QUESTION = Reply(
    '{"reasoning": "Simulated models know only their questions.", "answer": null, "confidence": 0}'
)


class Population:
    """All simulated models, told the truth about ``truths``; they abstain on every other question.

    ``pace`` multiplies latencies: 0 answers at once.
    """

    def __init__(self, truths: Sequence[Truth], seed: int = 1, pace: float = 1.0) -> None:
        self._truths = truths
        self._seed = seed
        self._pace = pace
        self._chance = Chance(seed)
        index = Index([Asked(truth.question, truth.options) for truth in truths])
        self._find = lru_cache(maxsize=1_024)(index.find)  # all models are asked in the same words

    @property
    def models(self) -> tuple[str, ...]:
        return tuple(MODELS)

    def outcome(self, model: str, prompt: str) -> Outcome:
        """An answer, or a decision where the prompt puts candidates up for one."""
        position = self._find(prompt)
        truth = None if position is None else self._truths[position]
        reply = UNKNOWN_QUESTION if truth is None else self._reply(MODELS[model], truth, prompt)
        question = prompt if truth is None else truth.question
        seconds = self._pace * simulated.latency_s(MODELS[model], question, self._seed)
        said = Outcome(text=reply.text, finish_reason=reply.finish_reason, latency_s=seconds)
        return self._chance.befall(model, question, prompt, said)

    def _reply(self, model: Simulated, truth: Truth, prompt: str) -> Reply:
        offered = judging.offer(prompt)
        if offered is not None:
            return judging.decide(model, truth, offered, self._seed)
        return simulated.answer(model, truth, self._seed)
