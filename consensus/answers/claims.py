"""Two texts side by side: what each says that the other does not, and the findings that speak against sameness."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from consensus.answers import lexicon
from consensus.answers.content import Content, Item, content

Code = Literal[
    "negation", "opposite", "number", "unit", "date", "entity", "order", "substitution", "qualifier", "length"
]
Grade = Literal["sure", "doubt", "hint"]

_CLOSE = 0.6
"""Share of both texts' content that must be found in the other for them to be "otherwise equal"."""
_BRIEF = 16
"""Content items up to which a text is one claim; longer ones have details that others leave out or give otherwise."""
_QUANTITIES_MAX = 32
"""Quantities of a text among which counterparts are looked for; one that is not found there counts as missing."""
_DERIVING = ("n", "an", "ian", "ish", "ese", "i", "al", "s", "ic")
"""Endings that make another form of a name."""


@dataclass(frozen=True)
class Finding:
    """One reason against sameness."""

    code: Code
    grade: Grade


@dataclass(frozen=True)
class Pair:
    """Two texts, what neither shares with the other (``rest_a``, ``rest_b``), and the stems of the question."""

    a: Content
    b: Content
    rest_a: tuple[Item, ...]
    rest_b: tuple[Item, ...]
    known: frozenset[str]

    @property
    def close(self) -> bool:
        """Otherwise equal: most of each is found in the other."""
        return _mostly(self.rest_a, self.a) and _mostly(self.rest_b, self.b)

    @property
    def brief(self) -> bool:
        """Both texts make one claim."""
        return max(len(self.a.items), len(self.b.items)) <= _BRIEF


def _mostly(rest: tuple[Item, ...], text: Content) -> bool:
    """Whether enough of a text has a counterpart; one item of two may lack it, since less cannot differ."""
    return len(rest) <= max((1 - _CLOSE) * len(text.items), 1.0 if len(text.items) == 2 else 0.0)


def graded(sure: bool) -> Grade:
    """``sure`` or ``doubt``."""
    return "sure" if sure else "doubt"


def pair(a: str, b: str, known: frozenset[str]) -> Pair:
    """Compare the contents of two texts; ``known`` are the stems of the question."""
    one, other = content(a), content(b)
    return Pair(one, other, unmatched(one, other, known), unmatched(other, one, known), known)


def restated(a: str, b: str) -> bool:
    """Whether each text says, in some form, everything that the other says: the same words, synonyms and quantities."""
    first, second = content(a), content(b)
    if not first.items or not second.items or not (first.whole and second.whole):
        return False
    return not unmatched(first, second, frozenset()) and not unmatched(second, first, frozenset())


def unmatched(one: Content, other: Content, known: frozenset[str]) -> tuple[Item, ...]:
    """Items of one text that the other has in no form."""
    sensed = {sense for key in other.keys for sense in lexicon.senses(key)}
    return tuple(
        item
        for item in one.items
        if item.key not in other.keys
        and (item.kind == "quantity" or item.key not in known)
        and not _found(item, other, sensed)
    )


def _found(item: Item, other: Content, sensed: set[lexicon.Sense]) -> bool:
    if item.quantity is not None:
        return any(
            q.quantity is not None and item.quantity.matches(q.quantity) for q in other.quantities[:_QUANTITIES_MAX]
        )
    if any(sense in sensed for sense in lexicon.senses(item.key)):
        return True
    return item.kind == "name" and (_derived(item.key, other.names) or _initials(item.key, other))


def _derived(key: str, names: frozenset[str]) -> bool:
    """India and Indian, Spain's and Spain: one name in another form."""
    if len(key) < 4:
        return False
    return any(key + suffix in names for suffix in _DERIVING) or any(
        key.endswith(suffix) and len(key) - len(suffix) >= 4 and key.removesuffix(suffix) in names
        for suffix in _DERIVING
    )


def _initials(key: str, other: Content) -> bool:
    """Initials of adjacent names in the other text (WHO, J., A.K.), or a name that stands for one of its initials."""
    letters = "".join(item.key[0] for item in other.items if item.kind == "name")
    return (len(key) <= 6 and key in letters) or key[0] in other.names
