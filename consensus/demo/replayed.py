"""Recorded panels as models: every model of the file answers with the text that it once gave to the same question."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

from consensus.demo.matching import Asked, Index
from consensus.demo.outcome import NOT_RECORDED, Outcome
from consensus.errors import ConfigError


class Panel:
    """The recorded texts of a panel file, found by the words of a prompt."""

    def __init__(self, path: Path) -> None:
        asked: list[Asked] = []
        self._texts: list[dict[str, str]] = []
        for question, options, texts in _records(path):
            asked.append(Asked(question, options))
            self._texts.append(texts)
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


def _records(path: Path) -> Iterator[tuple[str, tuple[str, ...], dict[str, str]]]:
    """Question, option texts and recorded texts by model, line by line. Raises ConfigError naming the line."""
    opener = gzip.open if path.suffix == ".gz" else open
    try:
        with opener(path, "rt", encoding="utf-8") as lines:
            for number, line in enumerate(lines, start=1):
                yield _record(line, f"{path.name}, line {number}")
    except (OSError, UnicodeDecodeError, EOFError) as error:
        raise ConfigError("--panel", f"cannot read {path.name}: {error}") from None


def _record(line: str, where: str) -> tuple[str, tuple[str, ...], dict[str, str]]:
    try:
        raw: Any = json.loads(line)
        texts = {str(model): str(answer["text"]) for model, answer in raw["answers"].items()}
        return str(raw["question"]), tuple(map(str, raw.get("options", ()))), texts
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError("--panel", f"{where} is no recorded question: {error!r}") from None
