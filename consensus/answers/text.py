"""Free text. Canonical value: the text itself, trimmed."""

from __future__ import annotations

from typing import Any

from consensus.answers.explicit import Found, Statement
from consensus.answers.protocol import Ask, Reading, Sameness
from consensus.answers.reader import Reader, answer, invalid
from consensus.answers.refusals import declined
from consensus.errors import Malformed
from consensus.types import LabelValue, TextSpec


class _TextReader(Reader):
    def value(self, value: Any) -> Reading:
        return answer(value.strip(), value) if isinstance(value, str) and value.strip() else invalid()

    def words(self, text: str, statement: Statement) -> Found | None:
        said = text[statement.begin : statement.end].strip()
        return None if not said or declined(said) else Found(statement.start, statement.end, answer(said, said))

    def bare(self, text: str) -> Reading | None:
        return answer(text, text)


class Text:
    """Free text."""

    def ask(self, spec: TextSpec) -> Ask:
        """Instructions and reply schema: a string, or null."""
        return Ask("The answer is a short text.", {"type": ["string", "null"]}, (), "text/1")

    def read(self, spec: TextSpec, text: str) -> Reading:
        """The stated text."""
        return _TextReader().read(text)

    def same(self, spec: TextSpec, a: LabelValue, b: LabelValue) -> Sameness:
        """Equal but for case and spacing."""
        equal = " ".join(str(a).casefold().split()) == " ".join(str(b).casefold().split())
        return Sameness.SAME if equal else Sameness.UNDECIDED

    def check(self, spec: TextSpec, value: LabelValue) -> LabelValue:
        """A text with something in it."""
        if not isinstance(value, str) or not value.strip():
            raise Malformed("must be a text", field="answer", code="wrong_type")
        return value.strip()


TYPE = Text()
