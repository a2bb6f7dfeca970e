"""A set of options. Canonical value: sorted ids without repetition; the empty list says that none applies."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from consensus.answers.explicit import Found, Statement
from consensus.answers.options import Names, fold, names
from consensus.answers.protocol import Ask, Reading, Sameness
from consensus.answers.reader import Reader, answer, invalid
from consensus.errors import Malformed
from consensus.types import LabelsSpec, LabelValue

_NONE = frozenset({"none", "none of them", "none of these", "none of the above", "none apply", "no labels", "empty"})
_SEPARATOR = re.compile(r"\s?(?:[,;\n]|\band\b|&|\+)\s?", re.IGNORECASE)
_LIST_MAX = 4_000


class _LabelsReader(Reader):
    def __init__(self, known: Names) -> None:
        self._names = known

    def value(self, value: Any) -> Reading:
        if isinstance(value, str):
            return self.bare(value.strip()) or invalid(value)
        if not isinstance(value, list) or any(isinstance(item, bool | dict | list) or item is None for item in value):
            return invalid()
        found = [self._names.whole(str(item)) for item in value[:_LIST_MAX]]
        surface = ", ".join(map(str, value[:_LIST_MAX]))
        ids = [item for item in found if item is not None]
        return answer(sorted(set(ids)), surface) if len(ids) == len(value) else invalid(surface)

    def words(self, text: str, statement: Statement) -> Found | None:
        stop = text.find(". ", statement.begin, statement.end)
        end = stop if stop >= 0 else statement.end
        reading = self.bare(text[statement.begin : end].strip())
        if reading is not None:
            return Found(statement.start, end, reading)
        named = self._names.at(text, statement.begin)
        if named is None:
            return None
        surface = text[named.start : named.end]
        return Found(statement.start, named.end, answer(sorted(named.ids), surface, (named.start, named.end)))

    def bare(self, text: str) -> Reading | None:
        """A list of ids or texts with nothing else; one that holds anything else is no list."""
        if len(text) > _LIST_MAX:
            return None
        if fold(text) in _NONE:
            return answer([], text)
        if (one := self._names.whole(text)) is not None:
            return answer([one], text)
        parts = [part for part in _SEPARATOR.split(text.strip("[](){}*_`.$ ")) if part.strip()]
        found = [self._names.whole(part) for part in parts]
        ids = [item for item in found if item is not None]
        return answer(sorted(set(ids)), text) if ids and len(ids) == len(parts) else None


def masi(a: Sequence[str], b: Sequence[str]) -> float:
    """Partial agreement of two label sets in [0, 1]: Jaccard index × monotonicity (Passonneau 2006, MASI).

    Monotonicity is 1 for equal sets, 2/3 when one contains the other, 1/3 when they overlap, 0 when they are disjoint.
    Two empty sets agree fully.
    """
    left, right = frozenset(a), frozenset(b)
    if left == right:
        return 1.0
    common = len(left & right)
    if common == 0:
        return 0.0
    return common / len(left | right) * (2 / 3 if left <= right or right <= left else 1 / 3)


class Labels:
    """Every option that applies."""

    def ask(self, spec: LabelsSpec) -> Ask:
        """Instructions and reply schema: a list of ids, or null."""
        ids = [option.id for option in spec.options]
        return Ask(
            instructions="The answer is the list of the ids of all options that apply, empty when none does.",
            schema={"anyOf": [{"type": "array", "items": {"type": "string", "enum": ids}}, {"type": "null"}]},
            options=(),
            template="labels/1",
        )

    def read(self, spec: LabelsSpec, text: str) -> Reading:
        """The set of options that the reply names explicitly."""
        return _LabelsReader(names(spec.options)).read(text)

    def same(self, spec: LabelsSpec, a: LabelValue, b: LabelValue) -> Sameness:
        """Equal sets. Sets that overlap differ; `masi` says how far they agree."""
        return Sameness.SAME if a == b else Sameness.DIFFERENT

    def check(self, spec: LabelsSpec, value: LabelValue) -> LabelValue:
        """A list of option ids; sorted, repetitions removed."""
        known = {option.id for option in spec.options}
        if not isinstance(value, list) or any(not isinstance(item, str) or item not in known for item in value):
            raise Malformed("must be a list of ids of the options", field="answer", code="unknown_option")
        return [*sorted({str(item) for item in value})]


TYPE = Labels()
