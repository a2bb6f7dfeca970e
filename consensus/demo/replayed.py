"""Recorded panels as models: every model of the file answers with the text that it once gave to the same question."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from consensus.demo.matching import Asked, Index
from consensus.demo.outcome import NOT_RECORDED, Outcome
from consensus.recorded_panel import RecordedQuestion, recorded
from consensus.types import ChoiceSpec


class Panel:
    """The recorded texts of a panel file, found by the words of a prompt. Raises ConfigError naming a bad line."""

    def __init__(self, path: Path) -> None:
        asked: list[Asked] = []
        self._texts: list[dict[str, str]] = []
        for question in recorded(path):
            asked.append(Asked(question.question, _options(question)))
            self._texts.append({model: reply.text for model, reply in question.answers.items()})
        self._find = lru_cache(maxsize=1_024)(Index(asked).find)  # all models are asked in the same words
        self._models = tuple(sorted({model for texts in self._texts for model in texts}))

    @property
    def models(self) -> tuple[str, ...]:
        return self._models

    def outcome(self, model: str, prompt: str) -> Outcome:
        """The recorded text, at once; ``not_recorded`` where the file has none for this question."""
        position = self._find(prompt)
        text = None if position is None else self._texts[position].get(model)
        return NOT_RECORDED if text is None else Outcome(text=text)


def _options(question: RecordedQuestion) -> tuple[str, ...]:
    return tuple(option.text for option in question.spec.options) if isinstance(question.spec, ChoiceSpec) else ()
