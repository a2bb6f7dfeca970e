"""Who did what to whom: whether two texts with the same names and numbers give them each other's places."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

from consensus.answers.content import Content, Item
from consensus.answers.tokens import Token, listed

_MENTIONS_MAX = 12
"""Names and quantities whose order is compared; beyond them a long text is not taken for a reordered one."""
_JOINING = frozenset({"and", "or", "&", ",", "/", "with"})
_NO_NEIGHBOUR = _JOINING | frozenset({"", ".", "!", "?", ";", ":", "\n", "(", ")"})
_EQUATING = frozenset({"is", "was", "are", "were"})
_DIRECTED = frozenset({"by", "than"})
"""What makes of an "is" a relation with two different places ("is smaller than", "was defeated by")."""
_COPULA = _EQUATING | {"be", "the", "a", "an"}
"""What stands between the two sides of an equation ("the femur is the longest bone")."""
_PREPOSITIONS = listed("in on at by from to during before after for with under until since within because")
_SPAN_MAX = 6
"""Tokens of a name or phrase that may have been exchanged as a whole."""
_CROSSED_MIN = 2
"""Neighbours that a mention must have taken over from the other one, of four."""


@dataclass(frozen=True)
class Mention:
    """A run of adjacent names, or one quantity, with the token on either side."""

    keys: tuple[str, ...]
    before: str
    after: str
    place: int
    quantity: bool


def swapped(a: Content, b: Content) -> bool:
    """Whether two things stand in each other's place in the other text. Symmetric."""
    first, second = _mentions(a), _mentions(b)
    if _renamed(first, second) or _exchanged_spans(a.sequence, b.sequence) or _exchanged_items(a, b):
        return True
    if a.passive != b.passive:
        return False
    shared = [keys for keys in first if keys in second][:_MENTIONS_MAX]
    return any(_exchanged(first[x], first[y], second[x], second[y]) for x, y in combinations(shared, 2))


def _exchanged_spans(a: Sequence[Token], b: Sequence[Token]) -> bool:
    """One text is … x m y …, the other … y m x …, and neither a list, nor a copula, nor moved phrases explain it."""
    if len(a) != len(b):
        return False
    first, second = [token.lower for token in a], [token.lower for token in b]
    apart = [i for i, (x, y) in enumerate(zip(first, second, strict=True)) if x != y]
    if not apart:
        return False
    low, high = apart[0], apart[-1] + 1
    ours, theirs = first[low:high], second[low:high]
    return any(
        _spans_cross(ours, theirs, x, y) and not _harmless(a[low:high], x, y)
        for x in range(1, _SPAN_MAX + 1)
        for y in range(1, min(_SPAN_MAX, high - low - x) + 1)
    )


def _spans_cross(ours: Sequence[str], theirs: Sequence[str], x: int, y: int) -> bool:
    """Whether ours is a span of x, a middle and a span of y words, and theirs has the spans in each other's place."""
    end = len(ours)
    return ours[:x] == theirs[end - x :] and ours[end - y :] == theirs[:y] and ours[x : end - y] == theirs[y : end - x]


def _harmless(window: Sequence[Token], x: int, y: int) -> bool:
    middle = window[x : len(window) - y]
    members = all(token.capital or token.lower in _JOINING for token in middle)
    phrases = window[0].lower in _PREPOSITIONS and window[len(window) - y].lower in _PREPOSITIONS
    return members or phrases or all(token.lower in _COPULA for token in middle)


def _mentions(content: Content) -> dict[tuple[str, ...], Mention]:
    found: dict[tuple[str, ...], Mention] = {}
    run: list[Item] = []
    for place, item in enumerate([*content.items, None]):
        joined = item is not None and run and item.kind == run[-1].kind == "name" and adjacent(run[-1], item)
        if run and not joined:
            keys, quantity = tuple(i.key for i in run), run[0].kind == "quantity"
            found.setdefault(keys, Mention(keys, run[0].before, run[-1].after, place - len(run), quantity))
            run = []
        if item is not None and item.kind != "word":
            run.append(item)
    return found


def adjacent(left: Item, right: Item) -> bool:
    """Whether two items follow each other without a word between (keys are stems, so compare beginnings)."""
    return left.sentence == right.sentence and left.after[:3] == right.key[:3] and right.before[:3] == left.key[:3]


def _renamed(first: Iterable[tuple[str, ...]], second: Iterable[tuple[str, ...]]) -> bool:
    """A name whose parts come in another order ("Lang Stephen") is doubtful unless a comma explains it."""
    sets = {frozenset(keys): keys for keys in second if len(keys) > 1}
    return any(sets.get(frozenset(keys), keys) != keys for keys in first if len(keys) > 1)


def _exchanged(xa: Mention, ya: Mention, xb: Mention, yb: Mention) -> bool:
    """x and y change their order, and each has the other's neighbours rather than its own."""
    if (xa.place < ya.place) == (xb.place < yb.place):
        return False
    if xa.quantity != ya.quantity:
        return False
    crossed = _alike(xa, yb) + _alike(ya, xb)
    kept = _alike(xa, xb) + _alike(ya, yb)
    return crossed >= _CROSSED_MIN and crossed > kept and not (_listed(xa, ya) and _listed(xb, yb))


def _alike(one: Mention, other: Mention) -> int:
    """How many neighbours two mentions have in common; the ends of the text and the marks of a list are none."""
    return sum(x == y and x not in _NO_NEIGHBOUR for x, y in ((one.before, other.before), (one.after, other.after)))


def _listed(x: Mention, y: Mention) -> bool:
    """Members of one list ("Adams and Jefferson"), whose order says nothing."""
    left, right = (x, y) if x.place < y.place else (y, x)
    return left.place + len(left.keys) == right.place and left.after in _JOINING and right.before in _JOINING


def _exchanged_items(a: Content, b: Content) -> bool:
    """The same items, two of them in each other's place wherever they stand ("the dog bit the man")."""
    first, second = [item.key for item in a.items], [item.key for item in b.items]
    if len(first) != len(second) or a.passive != b.passive:
        return False
    moved = [i for i, (x, y) in enumerate(zip(first, second, strict=True)) if x != y]
    if len({first[i] for i in moved}) != 2 or sorted(first) != sorted(second):
        return False
    left, right = moved[0], moved[-1]
    if right - left == 1:
        return _side_by_side(a, left) and _side_by_side(b, left)
    befores = {item.before for item in (a.items[left], b.items[right])}
    moved_phrase = len(befores) == 1 and befores <= _PREPOSITIONS
    return not moved_phrase and not (a.items[left].kind != a.items[right].kind and equation(a, b))


def equation(a: Content, b: Content) -> bool:
    """Whether both texts may make two things one ("Ottawa is the capital"), which reads either way round."""
    return all(_equates({token.lower for token in content.sequence}) for content in (a, b))


def _equates(words: set[str]) -> bool:
    return bool(words & _EQUATING) and not words & _DIRECTED


def _side_by_side(content: Content, place: int) -> bool:
    return adjacent(content.items[place], content.items[place + 1])
