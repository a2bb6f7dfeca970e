"""True or false, yes or no. Canonical value: a JSON boolean."""

from __future__ import annotations

import re
from typing import Any

from consensus.answers.explicit import Found, Statement
from consensus.answers.protocol import Ask, Reading, Sameness
from consensus.answers.reader import Reader, answer, invalid
from consensus.errors import Malformed
from consensus.types import BooleanSpec, LabelKind, LabelValue

_WORDS = {"true": True, "yes": True, "correct": True, "false": False, "no": False, "incorrect": False}
_OPEN = r"(?:\\(?:boxed|text|textbf|mathrm|mathbf)\s?|\\[(\[]|[{\[(*_`'\"“‘$\s]){0,12}"
_WORD = re.compile(
    rf"{_OPEN}(true|yes|correct|false|no|incorrect)\b(?!\s(?:one|more|less|longer|other|answer)\b|-)", re.IGNORECASE
)
_OTHER = re.compile(r"[)\]}*_`'\"”’$\\]{0,6}\s{0,3}(?:and|or|/)\s{0,3}(?:true|yes|false|no)\b", re.IGNORECASE)
_LEADING = re.compile(
    rf"{_OPEN}(true|yes|false|no)[)\]}}*_`'\"”’$\\]{{0,6}}\s{{0,3}}(?:[.,:;!–—\n]|-\s|$)", re.IGNORECASE
)
_CLOSING = re.compile(r"[\s.!,;)\]}*_`'\"”’$\\]{0,12}")


class _BooleanReader(Reader):
    def value(self, value: Any) -> Reading:
        if isinstance(value, bool):
            return answer(value, "true" if value else "false")
        if not isinstance(value, str):
            return invalid(str(value)[:80])
        return self.bare(value.strip()) or invalid(value)

    def words(self, text: str, statement: Statement) -> Found | None:
        word = _WORD.match(text, statement.begin, statement.end)
        if word is None:
            return None
        if _OTHER.match(text, word.end()):
            return Found(statement.start, word.end(), Reading(LabelKind.CONFLICTING))
        return Found(statement.start, word.end(), _reading(word))

    def bare(self, text: str) -> Reading | None:
        word = _WORD.match(text)
        if word is not None and _CLOSING.fullmatch(text, word.end()):
            return _reading(word)
        leading = _LEADING.match(text)
        return None if leading is None or _OTHER.match(text, leading.end(1)) else _reading(leading)


def _reading(word: re.Match[str]) -> Reading:
    return answer(_WORDS[word[1].lower()], word[1], word.span(1))


class Boolean:
    """True or false."""

    def ask(self, spec: BooleanSpec) -> Ask:
        """Instructions and reply schema: true, false, or null."""
        return Ask(
            instructions="The answer is true (yes) or false (no).",
            schema={"type": ["boolean", "null"]},
            options=("true", "false"),
            template="boolean/1",
        )

    def read(self, spec: BooleanSpec, text: str) -> Reading:
        """A JSON boolean, an explicit "the answer is yes", or a reply that begins with yes or no."""
        return _BooleanReader().read(text)

    def same(self, spec: BooleanSpec, a: LabelValue, b: LabelValue) -> Sameness:
        """Same truth value."""
        return Sameness.SAME if a == b else Sameness.DIFFERENT

    def check(self, spec: BooleanSpec, value: LabelValue) -> LabelValue:
        """A JSON boolean."""
        if not isinstance(value, bool):
            raise Malformed("must be true or false", field="answer", code="wrong_type")
        return value


TYPE = Boolean()
