"""Vetoes: what forbids calling two texts the same however alike they look.

A similar wording is no evidence where one word carries the claim, so facts are compared before any score: polarity,
quantities (numbers, units, dates), names, opposites, order, and the one place where otherwise equal texts differ.
A `sure` finding makes two answers different, a `doubt` keeps them from being merged without a judge, a `hint` only
lowers their score.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Literal

from consensus.answers import lexicon
from consensus.answers.content import Content, Item, content
from consensus.answers.tokens import canonical
from consensus.answers.word_order import adjacent, swapped

Code = Literal[
    "negation", "opposite", "number", "unit", "date", "entity", "order", "substitution", "qualifier", "length"
]
Grade = Literal["sure", "doubt", "hint"]

_CLOSE = 0.6
"""Share of both texts' content that must be found in the other for them to be "otherwise equal"."""
_BRIEF = 16
"""Content items up to which a text is one claim; longer ones have details that others leave out or give otherwise."""
_SUBSTITUTED_MAX = 3
"""Items of each text that have no counterpart, up to which one in the same place is a substitution."""
_EDIT_MAX = 8
"""Tokens on either side of one edit in otherwise equal text."""


@dataclass(frozen=True)
class Finding:
    """One reason against sameness."""

    code: Code
    grade: Grade


@dataclass(frozen=True)
class _Pair:
    """Two texts and what neither shares with the other (``rest_a``, ``rest_b``)."""

    a: Content
    b: Content
    rest_a: tuple[Item, ...]
    rest_b: tuple[Item, ...]
    known: frozenset[str]

    @property
    def close(self) -> bool:
        """Otherwise equal: most of each is found in the other."""
        longest = max(len(self.rest_a) / max(1, len(self.a.items)), len(self.rest_b) / max(1, len(self.b.items)))
        return longest <= 1 - _CLOSE

    @property
    def brief(self) -> bool:
        return max(len(self.a.items), len(self.b.items)) <= _BRIEF


def _grade(sure: bool) -> Grade:
    return "sure" if sure else "doubt"


def findings(a: str, b: str, known: frozenset[str] = frozenset()) -> tuple[Finding, ...]:
    """Everything that speaks against ``a`` and ``b`` meaning the same. Symmetric; linear in the texts' length.

    ``known`` are the stems of the question, which tell nothing when only one answer repeats them.
    """
    first, second = content(a), content(b)
    pair = _Pair(first, second, _rest(first, second, known), _rest(second, first, known), known)
    found = [finding for test in _TESTS for finding in test(pair)]
    found.extend(_edit(a, b))
    if _digits_apart(a, b):
        found.append(Finding("number", "sure"))
    return tuple(dict.fromkeys(found))


def restated(a: str, b: str) -> bool:
    """Whether each text says, in some form, everything that the other says: the same words, synonyms and quantities."""
    first, second = content(a), content(b)
    if not first.items or not second.items or not (first.whole and second.whole):
        return False
    return not _rest(first, second, frozenset()) and not _rest(second, first, frozenset())


def _rest(one: Content, other: Content, known: frozenset[str]) -> tuple[Item, ...]:
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
        return any(q.quantity is not None and item.quantity.matches(q.quantity) for q in other.quantities)
    if any(sense in sensed for sense in lexicon.senses(item.key)):
        return True
    return item.kind == "name" and (_derived(item.key, other.names) or _initials(item.key, other))


_DERIVING = ("n", "an", "ian", "ish", "ese", "i", "al", "s", "ic")


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


def _names(items: Iterable[Item]) -> list[Item]:
    return [item for item in items if item.kind == "name"]


def _quantities(items: Iterable[Item]) -> list[Item]:
    return [item for item in items if item.kind == "quantity"]


def _unread(pair: _Pair) -> Iterable[Finding]:
    if not (pair.a.whole and pair.b.whole):
        yield Finding("length", "doubt")


def _negation(pair: _Pair) -> Iterable[Finding]:
    """A word that one text negates and the other asserts; in otherwise equal texts any negation of one side only."""
    if _asserted(pair.a, pair.b, pair.known) or _asserted(pair.b, pair.a, pair.known):
        yield Finding("negation", _grade(pair.close))
    elif _one_sided(pair) or _overshadowed(pair.a, pair.b, pair.known) or _overshadowed(pair.b, pair.a, pair.known):
        yield Finding("negation", "doubt")


def _one_sided(pair: _Pair) -> bool:
    """A negation in one of two otherwise equal texts that no opposite makes up for and the question does not bring."""
    differ = bool(pair.a.negations) != bool(pair.b.negations)
    return pair.close and differ and not _opposed(pair) and not _negative(pair.known)


def _negative(question: frozenset[str]) -> bool:
    """Whether the question itself has a negation, which only some answers repeat."""
    return any(word in lexicon.NEGATION or word.endswith("n't") for word in question)


def _asserted(one: Content, other: Content, known: frozenset[str]) -> bool:
    """Whether the other text asserts, in some form, what this one negates. What the question negates is no claim."""
    plain = other.keys - other.negated
    return any(_expressed(key, plain) and not _expressed(key, other.negated) for key in one.negated if key not in known)


def _overshadowed(one: Content, other: Content, known: frozenset[str]) -> bool:
    """The same for words close behind a negation, where the other text negates nothing that is near."""
    if not one.negated or other.negations:
        return False
    return any(_expressed(key, other.keys) for key in one.shadowed if key not in known)


def _expressed(key: str, keys: frozenset[str]) -> bool:
    return key in keys or any(lexicon.synonyms(key, other) for other in keys)


def _opposed(pair: _Pair) -> bool:
    """Whether some pair of leftover words are opposites."""
    return any(_opposites(pair.rest_a, pair.rest_b))


def _opposites(rest_a: Sequence[Item], rest_b: Sequence[Item]) -> Iterable[tuple[Item, Item]]:
    by_sense: dict[lexicon.Sense, Item] = {}
    by_key: dict[str, Item] = {}
    for item in rest_b:
        by_key[item.key] = item
        by_sense.update(dict.fromkeys(lexicon.senses(item.key), item))
    for item in rest_a:
        for group, side in lexicon.senses(item.key):
            if (group, 1 - side) in by_sense:
                yield item, by_sense[group, 1 - side]
        for form in lexicon.opposite_forms(item.key):
            if form in by_key:
                yield item, by_key[form]


def _opposite(pair: _Pair) -> Iterable[Finding]:
    """Opposites, unless exactly one of them is negated ("not open", "closed")."""
    met = any(_negated(one) == _negated(other) for one, other in _opposites(pair.rest_a, pair.rest_b))
    if met and (pair.close or pair.brief):
        yield Finding("opposite", _grade(pair.close))


def _negated(item: Item) -> bool:
    return item.polarity == "negated"


def _quantity(pair: _Pair) -> Iterable[Finding]:
    """Both give a number that the other has not."""
    ours, theirs = _quantities(pair.rest_a), _quantities(pair.rest_b)
    if not ours or not theirs:
        return
    disjoint = len(ours) == len(pair.a.quantities) and len(theirs) == len(pair.b.quantities)
    if pair.close or pair.brief or disjoint:
        yield Finding(_code(ours, theirs), _grade(pair.close))


def _code(ours: Sequence[Item], theirs: Sequence[Item]) -> Code:
    kinds = {item.quantity.kind for item in (*ours, *theirs) if item.quantity is not None}
    if kinds <= {"date", "decade", "time"}:
        return "date"
    values = [{item.quantity.unit for item in side if item.quantity is not None} for side in (ours, theirs)]
    return "unit" if values[0] != values[1] else "number"


def _entity(pair: _Pair) -> Iterable[Finding]:
    """Both give a name that the other has not: in the same place, in otherwise equal or short texts, or all of them.

    With the question at hand the score tells the names that were asked for from other details, and weighs the rest.
    """
    ours, theirs = _names(pair.rest_a), _names(pair.rest_b)
    if not ours or not theirs:
        return
    if _places(ours, pair.a) & _places(theirs, pair.b):
        yield Finding("entity", _grade(pair.close))
    elif pair.close or (_first(ours) and _first(theirs) and (pair.brief or _disjoint(pair, ours, theirs))):
        yield Finding("entity", "hint" if pair.known else "doubt")


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


def _disjoint(pair: _Pair, ours: Sequence[Item], theirs: Sequence[Item]) -> bool:
    return _all_names(ours, pair.a) and _all_names(theirs, pair.b)


def _first(items: Sequence[Item]) -> bool:
    """Whether some item stands in the first sentence, where the answer is; later ones give details."""
    return any(item.sentence == 0 for item in items)


def _all_names(items: Sequence[Item], text: Content) -> bool:
    return len({item.key for item in items}) == len(text.names)


def _order(pair: _Pair) -> Iterable[Finding]:
    if pair.close and swapped(pair.a, pair.b):
        yield Finding("order", _grade(not pair.rest_a and not pair.rest_b))


def _substitution(pair: _Pair) -> Iterable[Finding]:
    """Otherwise equal texts that differ in one place, where neither side's words are found in the other text."""
    few = max(len(pair.rest_a), len(pair.rest_b)) <= _SUBSTITUTED_MAX
    if pair.close and few and _places(pair.rest_a, pair.a) & _places(pair.rest_b, pair.b):
        yield Finding("substitution", "doubt")


def _edit(a: str, b: str) -> Iterable[Finding]:
    """One edit in otherwise equal text: what was changed may stand elsewhere too, so it is looked at by itself."""
    first, second = canonical(a).split(" "), canonical(b).split(" ")
    ours, theirs = _window(first, second)
    edit = max(len(ours), len(theirs))
    if edit > _EDIT_MAX or min(len(first) - len(ours), len(second) - len(theirs)) < edit:
        return
    one, other = content(" ".join(ours)), content(" ".join(theirs))
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
    return bool(_rest(one, other, frozenset()) and _rest(other, one, frozenset()))


def _window(a: Sequence[str], b: Sequence[str]) -> tuple[Sequence[str], Sequence[str]]:
    """What remains of two sequences without their common beginning and end."""
    shortest = min(len(a), len(b))
    start = next((i for i in range(shortest) if a[i] != b[i]), shortest)
    end = next((i for i in range(shortest - start) if a[-1 - i] != b[-1 - i]), shortest - start)
    return a[start : len(a) - end], b[start : len(b) - end]


def _digits_apart(a: str, b: str) -> bool:
    """Texts that are equal but for their digits, wherever they stand ("word12", "v1.2.3")."""
    one, other = canonical(a), canonical(b)
    return one != other and _blanked(one) == _blanked(other)


_BLANK = str.maketrans("0123456789", "0000000000")


def _blanked(text: str) -> str:
    return text.translate(_BLANK)


_TESTS: tuple[Callable[[_Pair], Iterable[Finding]], ...] = (
    _unread, _negation, _opposite, _quantity, _entity, _order, _substitution,
)  # fmt: skip
