"""Vetoes: what forbids calling two texts the same however alike they look.

A similar wording is no evidence where one word carries the claim, so facts are compared before any score: polarity,
quantities (numbers, units, dates), names, opposites, order, and the one place where otherwise equal texts differ.
A `sure` finding makes two answers different, a `doubt` keeps them from being merged without a judge, a `hint` only
lowers their score.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import zip_longest

from consensus.answers import lexicon, polarity
from consensus.answers.claims import Code, Finding, Pair, graded, pair, unmatched
from consensus.answers.content import Content, Item, content
from consensus.answers.tokens import canonical
from consensus.answers.word_order import adjacent, equation, swapped

_SUBSTITUTED_MAX = 3
"""Items of each text that have no counterpart, up to which one in the same place is a substitution."""
_EDIT_MAX = 8
"""Tokens on either side of one edit in otherwise equal text."""


def findings(a: str, b: str, known: frozenset[str] = frozenset()) -> tuple[Finding, ...]:
    """Everything that speaks against ``a`` and ``b`` meaning the same. Symmetric; linear in the texts' length.

    ``known`` are the stems of the question, which tell nothing when only one answer repeats them.
    """
    compared = pair(a, b, known)
    found = [finding for test in _TESTS for finding in test(compared)]
    found.extend(_edit(a, b))
    if _digits_apart(a, b):
        found.append(Finding("number", "sure"))
    return tuple(dict.fromkeys(found))


def _names(items: Iterable[Item]) -> list[Item]:
    return [item for item in items if item.kind == "name"]


def _quantities(items: Iterable[Item]) -> list[Item]:
    return [item for item in items if item.kind == "quantity"]


def _unread(texts: Pair) -> Iterable[Finding]:
    if not (texts.a.whole and texts.b.whole):
        yield Finding("length", "doubt")


def _quantity(texts: Pair) -> Iterable[Finding]:
    """Both give a number that the other has not."""
    ours, theirs = _quantities(texts.rest_a), _quantities(texts.rest_b)
    if not ours or not theirs:
        return
    disjoint = len(ours) == len(texts.a.quantities) and len(theirs) == len(texts.b.quantities)
    if texts.close or texts.brief or disjoint:
        yield Finding(_code(ours, theirs), graded(texts.close))


def _code(ours: Sequence[Item], theirs: Sequence[Item]) -> Code:
    kinds = {item.quantity.kind for item in (*ours, *theirs) if item.quantity is not None}
    if kinds <= {"date", "decade", "time"}:
        return "date"
    values = [{item.quantity.unit for item in side if item.quantity is not None} for side in (ours, theirs)]
    return "unit" if values[0] != values[1] else "number"


def _entity(texts: Pair) -> Iterable[Finding]:
    """Both give a name that the other has not: in the same place, in otherwise equal or short texts, or all of them.

    With the question at hand the score tells the names that were asked for from other details, and weighs the rest.
    """
    ours, theirs = _names(texts.rest_a), _names(texts.rest_b)
    if not ours or not theirs:
        return
    if _places(ours, texts.a) & _places(theirs, texts.b):
        yield Finding("entity", graded(texts.close))
    elif texts.close or (_first(ours) and _first(theirs) and (texts.brief or _disjoint(texts, ours, theirs))):
        yield Finding("entity", "hint" if texts.known else "doubt")


def _places(rest: Sequence[Item], text: Content) -> set[tuple[str, str]]:
    """The tokens on either side of each run of adjacent items of ``rest``."""
    wanted = set(map(id, rest))
    places: set[tuple[str, str]] = set()
    before = ""
    for item, following in zip_longest(text.items, text.items[1:]):
        if id(item) not in wanted:
            continue
        inside = following is not None and id(following) in wanted and adjacent(item, following)
        before = before or item.before or "^"
        if not inside:
            places.add((before, item.after))
            before = ""
    return places


def _disjoint(texts: Pair, ours: Sequence[Item], theirs: Sequence[Item]) -> bool:
    return _all_names(ours, texts.a) and _all_names(theirs, texts.b)


def _first(items: Sequence[Item]) -> bool:
    """Whether some item stands in the first sentence, where the answer is; later ones give details."""
    return any(item.sentence == 0 for item in items)


def _all_names(items: Sequence[Item], text: Content) -> bool:
    return len({item.key for item in items}) == len(text.names)


def _order(texts: Pair) -> Iterable[Finding]:
    if texts.close and swapped(texts.a, texts.b):
        all_shared = not texts.rest_a and not texts.rest_b
        yield Finding("order", graded(all_shared and not equation(texts.a, texts.b)))


def _substitution(texts: Pair) -> Iterable[Finding]:
    """Otherwise equal texts that differ in one place, where neither side's words are found in the other text."""
    few = max(len(texts.rest_a), len(texts.rest_b)) <= _SUBSTITUTED_MAX
    if texts.close and few and _places(texts.rest_a, texts.a) & _places(texts.rest_b, texts.b):
        yield Finding("substitution", "doubt")


def _edit(a: str, b: str) -> Iterable[Finding]:
    """One edit in otherwise equal text: what was changed may stand elsewhere too, so it is looked at by itself."""
    first, second = canonical(a).split(" "), canonical(b).split(" ")
    ours, theirs = _window(first, second)
    edit = max(len(ours), len(theirs))
    if edit > _EDIT_MAX or min(len(first) - len(ours), len(second) - len(theirs)) < edit:
        return
    one, other = content(" ".join(ours)), content(" ".join(theirs))
    if polarity.made_up_for(one.items, other.items):
        return
    if bool(one.negations % 2) != bool(other.negations % 2):
        yield Finding("negation", "sure")
    if _unlike(one, other):
        yield Finding("substitution", "doubt")
    if lexicon.QUALIFIER.intersection(ours) != lexicon.QUALIFIER.intersection(theirs):
        yield Finding("qualifier", "doubt")


def _unlike(one: Content, other: Content) -> bool:
    """Whether both sides of the edit have content and some of it is no synonym of the other side's."""
    if not one.items or not other.items:
        return False
    return bool(unmatched(one, other, frozenset()) and unmatched(other, one, frozenset()))


def _window(a: Sequence[str], b: Sequence[str]) -> tuple[Sequence[str], Sequence[str]]:
    """What remains of two sequences without their common beginning and end."""
    shortest = min(len(a), len(b))
    start = next((i for i in range(shortest) if a[i] != b[i]), shortest)
    end = next((i for i in range(shortest - start) if a[-1 - i] != b[-1 - i]), shortest - start)
    return a[start : len(a) - end], b[start : len(b) - end]


def units_apart(a: str, b: str) -> bool:
    """Whether texts that are equal but for case give different units (5 mW, 5 MW)."""
    ours, theirs = content(a).quantities, content(b).quantities
    return len(ours) != len(theirs) or any(x.key != y.key for x, y in zip(ours, theirs, strict=True))


def _digits_apart(a: str, b: str) -> bool:
    """Texts that are equal but for their digits, wherever they stand ("word12", "v1.2.3")."""
    one, other = canonical(a), canonical(b)
    return one != other and _blanked(one) == _blanked(other)


_BLANK = str.maketrans("0123456789", "0000000000")


def _blanked(text: str) -> str:
    return text.translate(_BLANK)


_TESTS: tuple[Callable[[Pair], Iterable[Finding]], ...] = (
    _unread, polarity.negation, polarity.opposite, _quantity, _entity, _order, _substitution,
)  # fmt: skip
