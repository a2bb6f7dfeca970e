"""Polarity: what one text negates or turns into its opposite and the other asserts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from consensus.answers import lexicon
from consensus.answers.claims import Finding, Pair, graded
from consensus.answers.content import Content, Item


def negation(pair: Pair) -> Iterable[Finding]:
    """A word that one text negates and the other asserts; in otherwise equal texts any negation of one side only."""
    if _asserted(pair.a, pair.b, pair.known) or _asserted(pair.b, pair.a, pair.known):
        yield Finding("negation", graded(pair.close))
    elif _one_sided(pair) or _overshadowed(pair.a, pair.b, pair.known) or _overshadowed(pair.b, pair.a, pair.known):
        yield Finding("negation", "doubt")


def _one_sided(pair: Pair) -> bool:
    """A negation in one of two otherwise equal texts that no opposite makes up for and the question does not bring."""
    differ = bool(pair.a.negations) != bool(pair.b.negations)
    return pair.close and differ and not _opposed(pair) and not _negative(pair.known)


def _negative(question: frozenset[str]) -> bool:
    """Whether the question itself has a negation, which only some answers repeat."""
    return any(word in lexicon.NEGATION or word.endswith("n't") for word in question)


def _asserted(one: Content, other: Content, known: frozenset[str]) -> bool:
    """Whether the other text asserts, in some form, what this one negates. What the question negates is no claim."""
    plain, negated = _Expressed(other.keys - other.negated), _Expressed(other.negated)
    return any(key in plain and key not in negated for key in one.negated if key not in known)


def _overshadowed(one: Content, other: Content, known: frozenset[str]) -> bool:
    """The same for words close behind a negation, where the other text negates nothing."""
    if not one.negated or other.negations:
        return False
    said = _Expressed(other.keys)
    return any(key in said for key in one.shadowed if key not in known)


class _Expressed:
    """Stems with all their synonyms."""

    def __init__(self, keys: frozenset[str]) -> None:
        self._keys = keys
        self._senses = {sense for key in keys for sense in lexicon.senses(key)}

    def __contains__(self, key: str) -> bool:
        return key in self._keys or any(sense in self._senses for sense in lexicon.senses(key))


def _opposed(pair: Pair) -> bool:
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


def opposite(pair: Pair) -> Iterable[Finding]:
    """Opposites, unless exactly one of them is negated ("not open", "closed")."""
    met = any(_negated(one) == _negated(other) for one, other in _opposites(pair.rest_a, pair.rest_b))
    if met and (pair.close or pair.brief):
        yield Finding("opposite", graded(pair.close))


def made_up_for(ours: Sequence[Item], theirs: Sequence[Item]) -> bool:
    """Whether a negation is made up for by an opposite ("not open", "closed")."""
    return any(_negated(one) != _negated(other) for one, other in _opposites(ours, theirs))


def _negated(item: Item) -> bool:
    return item.polarity == "negated"
