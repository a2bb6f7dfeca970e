"""One of the options. Canonical value: the option's id."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from consensus.answers.explicit import MAX_STATEMENTS, Found, Statement, settle
from consensus.answers.option_value import fits, starts_with_number
from consensus.answers.options import Named, Names, names
from consensus.answers.protocol import Ask, Reading, Sameness
from consensus.answers.reader import Reader, answer, invalid
from consensus.answers.refusals import denies_options, near_miss
from consensus.errors import Malformed
from consensus.types import ChoiceSpec, LabelKind, LabelValue

_COMMITS = re.compile(r"answers?[*_]{0,3}\s{1,3}(?:is|are)\b|\\(?:boxed|fbox)\b", re.IGNORECASE)
"""Cues that commit to the id after them, whatever the reply has said of the option before."""
_PART = re.compile(
    r"\b(?:for|to|of|in)\s(?:the\s)?(?:part|question|subquestion)?s?\s?(?:\([a-h1-9]\)|\b[a-h1-9]\))", re.IGNORECASE
)
"""In a cue: what follows answers one part of the question ("the answer to part (b) is")."""


class _ChoiceReader(Reader):
    def __init__(self, known: Names) -> None:
        self._names = known

    def value(self, value: Any) -> Reading:
        if isinstance(value, list) and len(value) == 1:
            value = value[0]
        if isinstance(value, list):
            return Reading(LabelKind.CONFLICTING) if len(value) > 1 else invalid()
        if isinstance(value, bool | dict):
            return invalid()
        found = self._names.whole(str(value))
        return answer(found, str(value)) if found is not None else invalid(str(value))

    def words(self, text: str, statement: Statement) -> Found | None:
        if _PART.search(text, statement.start, statement.begin):
            return None
        named = self._names.at(text, statement.begin)
        if not (named and _COMMITS.search(text, statement.start, statement.begin)) and near_miss(text, statement.begin):
            return None
        named = named or self._names.phrase(text, statement.begin, statement.end)
        return None if named is None else Found(statement.start, named.end, _reading(text, named))

    def spoken(self, text: str, said: Sequence[Statement]) -> list[Found]:
        """Options named by their text alone do not count when the last statement then says something else."""
        found = super().spoken(text, said)
        if found and self.words(text, said[-1]) is None:
            by_id = any(self._names.at(text, statement.begin) for statement in said)
            found = found if by_id else []
        return sorted(found + self._other_values(text, said, found), key=lambda item: item.start)

    def _other_values(self, text: str, said: Sequence[Statement], found: Sequence[Found]) -> list[Found]:
        """The last number that is stated as the answer, if it cannot be the value of the option that is named last."""
        if not found or found[-1].reading.kind is not LabelKind.ANSWER:
            return []
        option = self._names.text(str(found[-1].reading.value))
        values = [s for s in said if self._is_value(text, s)]
        if not values or fits(text[values[-1].begin : values[-1].end], option):
            return []
        return [Found(values[-1].start, values[-1].begin, Reading(LabelKind.CONFLICTING))]

    def _is_value(self, text: str, statement: Statement) -> bool:
        """Whether a statement says a number and names no option, or says a number right behind the option's id."""
        named = self._names.at(text, statement.begin)
        begin = statement.begin if named is None else named.end
        return starts_with_number(text, begin, statement.end)

    def bare(self, text: str) -> Reading | None:
        found = self._names.whole(text)
        return None if found is None else answer(found, text)

    def _bare(self, text: str) -> Reading | None:
        """Without any statement: a bare answer, an option that is called right, or one that is written out in full."""
        return super()._bare(text) or self._affirmed(text) or self._written_out(text)

    def _affirmed(self, text: str) -> Reading | None:
        places = self._names.affirmed(text)[:MAX_STATEMENTS]
        affirmed = [named for named in places if not near_miss(text, named.start)]
        found = [Found(named.start, named.end, _reading(text, named)) for named in affirmed]
        return settle(text, found, self.same)

    def _written_out(self, text: str) -> Reading | None:
        """Not when the reply says that its own answer is none of the options: then the option is only the closest."""
        mentions = self._names.mentions(text)
        if len({mention.ids for mention in mentions}) != 1 or denies_options(text):
            return None
        return _reading(text, mentions[-1])


def _reading(text: str, named: Named) -> Reading:
    if len(named.ids) > 1:
        return Reading(LabelKind.CONFLICTING)
    return answer(named.ids[0], text[named.start : named.end], (named.start, named.end))


class Choice:
    """One of the options, named by its id."""

    def ask(self, spec: ChoiceSpec) -> Ask:
        """Instructions and reply schema: the id of one option, or null."""
        ids = [option.id for option in spec.options]
        return Ask(
            instructions="The answer is the id of exactly one option, written as the option's id is written.",
            schema={"anyOf": [{"type": "string", "enum": ids}, {"type": "null"}]},
            options=tuple(ids),
            template="choice/1",
        )

    def read(self, spec: ChoiceSpec, text: str) -> Reading:
        """The one option that the reply names explicitly."""
        return _ChoiceReader(names(spec.options)).read(text)

    def same(self, spec: ChoiceSpec, a: LabelValue, b: LabelValue) -> Sameness:
        """Same id."""
        return Sameness.SAME if a == b else Sameness.DIFFERENT

    def check(self, spec: ChoiceSpec, value: LabelValue) -> LabelValue:
        """An option's id."""
        if not isinstance(value, str) or all(value != option.id for option in spec.options):
            raise Malformed("must be the id of one of the options", field="answer", code="unknown_option")
        return value


TYPE = Choice()
