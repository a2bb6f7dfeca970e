"""The order in which every reader looks: JSON, then explicit statements, then a reply that is nothing but an answer."""

from __future__ import annotations

import dataclasses
import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

from consensus.answers import confidence, explicit, structured
from consensus.answers.explicit import Found, Statement
from consensus.answers.protocol import SURFACE_MAX, Reading
from consensus.answers.refusals import declined, silence
from consensus.types import LabelKind

_KEY = re.compile(r'"answer"\s{0,200}:\s{0,200}"?', re.IGNORECASE)


class Reader(ABC):
    """Reads replies for one spec. A subclass says what one JSON value, one statement and one bare reply mean."""

    @abstractmethod
    def value(self, value: Any) -> Reading:
        """The ``answer`` member of a JSON reply: an answer, or invalid."""

    @abstractmethod
    def words(self, text: str, statement: Statement) -> Found | None:
        """What an explicit statement says, or None when it says nothing that could be meant as an answer."""

    @abstractmethod
    def bare(self, text: str) -> Reading | None:
        """The reading of a short reply (stripped) that is nothing but an answer, or None."""

    def spoken(self, text: str, said: Sequence[Statement]) -> list[Found]:
        """What the explicit statements say, in order; those that say nothing are left out."""
        return [item for statement in said if (item := self.words(text, statement)) is not None]

    def read(self, text: str) -> Reading:
        """Read one reply. Linear in its length, never raises."""
        text = explicit.own_part(text, self._is_answer)
        return self._structured(text) or self._stated(text) or self._bare(text) or self._silent(text)

    def same(self, a: Reading, b: Reading) -> bool:
        """Whether two readings of one reply agree."""
        return a.kind is b.kind and a.value == b.value

    def _is_answer(self, text: str) -> bool:
        return bool(structured.answers(text)) or self.bare(text) is not None

    def _structured(self, text: str) -> Reading | None:
        replies = structured.answers(text)
        if not replies:
            return None
        found = [Found(reply.start, reply.end, self._member(text, reply)) for reply in replies]
        return explicit.settle(text, found, self.same)

    def _member(self, text: str, reply: structured.Found) -> Reading:
        value = reply.value["answer"]
        if value is structured.DUPLICATE:
            return Reading(LabelKind.CONFLICTING)
        if value is None or (isinstance(value, str) and declined(value) and not self._is_own(value)):
            return Reading(LabelKind.ABSTAINED)
        if not structured.is_clean(value):
            return Reading(LabelKind.INVALID)
        keys = list(_KEY.finditer(text, reply.start, reply.end))
        reading = self.value(value)
        start = keys[-1].end() if keys else reply.start
        return dataclasses.replace(
            reading,
            raw_confidence=confidence.probability(reply.value.get("confidence")),
            span=(start, start + len(reading.surface or "")),
        )

    def _is_own(self, value: str) -> bool:
        """Whether words such as "unknown" are themselves an answer of the spec."""
        return self.value(value).kind is LabelKind.ANSWER

    def _stated(self, text: str) -> Reading | None:
        start = structured.prose_start(text)
        said = [statement for statement in explicit.statements(text) if statement.start >= start]
        reading = explicit.settle(text, self.spoken(text, said), self.same)
        return None if reading is None else dataclasses.replace(reading, raw_confidence=confidence.stated(text))

    def _bare(self, text: str) -> Reading | None:
        stripped = text.strip()
        if not stripped or len(stripped) > SURFACE_MAX:
            return None
        reading = self.bare(stripped)
        if reading is None:
            return None
        start = text.index(stripped)
        return dataclasses.replace(reading, span=(start, start + len(stripped)))

    def _silent(self, text: str) -> Reading:
        kind = LabelKind.TRUNCATED if structured.looks_cut(text) else silence(text)
        return Reading(kind)


def answer(value: Any, surface: str, span: tuple[int, int] | None = None) -> Reading:
    """The reading of a valid answer."""
    return Reading(LabelKind.ANSWER, value, surface[:SURFACE_MAX], span=span)


def invalid(surface: str | None = None) -> Reading:
    """The reading of an answer that is none of the spec."""
    return Reading(LabelKind.INVALID, surface=None if surface is None else surface[:SURFACE_MAX])
