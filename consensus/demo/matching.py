"""Finds the known question that a prompt contains, by the question's whole text and its options in their order.

A request's id never takes part: the same question under another id is the same question. Questions that are asked twice
with other options (or the same options in another order) are told apart by the options, and a question of which the
prompt holds only a part is not found.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

ANCHORS = (32, 16, 8, 4, 2, 1)
"""Lengths of the prefixes by which questions are looked up: a question uses the longest that fits into it."""

_START = re.compile(r"(?<!\w)\S")
"""Where a question can begin: at a word's first character or at any other sign."""


@dataclass(frozen=True)
class Asked:
    """A question as it must appear in a prompt; ``options`` are the options' texts in order, empty for open answers."""

    question: str
    options: tuple[str, ...] = ()


def squeezed(text: str) -> str:
    """Text whose spacing, compatibility forms and invisible characters no longer matter."""
    folded = unicodedata.normalize("NFKC", text)
    return " ".join("".join(c for c in folded if c.isprintable() or c.isspace()).split())


class Index:
    """Positions of questions in ``asked`` by the text of a prompt. Linear in the prompt, whatever the number known."""

    def __init__(self, asked: Sequence[Asked]) -> None:
        self._asked = [Asked(squeezed(one.question), tuple(map(squeezed, one.options))) for one in asked]
        self._by_anchor: dict[str, list[int]] = {}
        for position, one in enumerate(self._asked):
            if one.question:
                self._by_anchor.setdefault(_anchor(one.question), []).append(position)
        self._lengths = [length for length in ANCHORS if any(len(anchor) == length for anchor in self._by_anchor)]

    def find(self, prompt: str) -> int | None:
        """The position of the question that ``prompt`` asks, or ``None``.

        Among several the longest question counts (another may be a part of it), then the one with most options (another
        may have been asked with some of them), then the one whose options follow most closely, then the first.
        """
        text = squeezed(prompt)
        best: tuple[int, int, int, int] | None = None
        for begin, position in self._candidates(text):
            end = self._end_of_options(text, position, begin)
            if end is not None:
                one = self._asked[position]
                rank = (-len(one.question), -sum(map(len, one.options)), end - begin, position)
                best = rank if best is None else min(best, rank)
        return None if best is None else best[-1]

    def _candidates(self, text: str) -> Iterator[tuple[int, int]]:
        """Every (offset, position) at which a known question stands in ``text``."""
        for match in _START.finditer(text):
            begin = match.start()
            for length in self._lengths:
                for position in self._by_anchor.get(text[begin : begin + length], ()):
                    if text.startswith(self._asked[position].question, begin):
                        yield begin, position

    def _end_of_options(self, text: str, position: int, begin: int) -> int | None:
        """Where the last option ends if all of them follow the question in their order, else ``None``."""
        one = self._asked[position]
        at = begin + len(one.question)
        for option in one.options:
            found = text.find(option, at)
            if found < 0:
                return None
            at = found + len(option)
        return at


def _anchor(question: str) -> str:
    length = next(length for length in ANCHORS if length <= len(question))
    return question[:length]
