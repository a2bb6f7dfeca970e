"""What the provider is told when it starts: questions with their right answers. Requests never carry them."""

from __future__ import annotations

import json
from collections.abc import Iterable

from pydantic import ValidationError

from consensus.errors import ConfigError
from consensus.types import AnswerSpec, ChoiceSpec, Frozen, LabelsSpec, LabelValue


class Truth(Frozen):
    """A question, the answer spec it is asked with, and its right answer (``gold``) in the spec's own terms."""

    question: str
    domain: str = "default"
    answer: AnswerSpec
    gold: LabelValue

    @property
    def options(self) -> tuple[str, ...]:
        """Texts of the options as they appear in a prompt, none for open answers."""
        if isinstance(self.answer, ChoiceSpec | LabelsSpec):
            return tuple(option.text for option in self.answer.options)
        return ()


def read(lines: Iterable[str], source: str) -> list[Truth]:
    """Parse JSON lines ``{"question", "domain"?, "answer", "gold"}``. Raises ConfigError naming ``source`` and line."""
    truths = []
    for number, line in enumerate(lines, start=1):
        if line.strip():
            try:
                truths.append(Truth.model_validate(json.loads(line)))
            except (ValidationError, ValueError) as error:
                raise ConfigError(source, f"line {number} is no question with answer and gold: {error}") from None
    return truths
