"""What a text claims, as a sequence of items: content words, names and quantities with polarity and neighbours."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from consensus.answers import lexicon, quantity_reader
from consensus.answers.quantities import Quantity
from consensus.answers.tokens import TOKENS_MAX, Token, stem, tokens

ITEMS_MAX = 400
"""Content items that are compared. Texts with more are compared by their beginning and never merged on it."""
_SCOPE = 5
"""Tokens after a negation within which the content words that it may negate are looked for."""

_FAILING = frozenset({"fail", "fails", "failed", "failing", "refuse", "refuses", "refused", "unable"})
"""Words that negate what follows their "to"."""

ItemKind = Literal["word", "name", "quantity"]
Polarity = Literal["plain", "negated", "shadowed"]


@dataclass(frozen=True, slots=True)
class Item:
    """One unit of content. ``key``: stem, or a quantity in one spelling; ``before``, ``after``: tokens beside it."""

    kind: ItemKind
    key: str
    quantity: Quantity | None
    polarity: Polarity
    before: str
    after: str
    sentence: int


@dataclass(frozen=True)
class Content:
    """The content of one text. ``whole`` is False when the text was too long to be read to its end."""

    items: tuple[Item, ...]
    keys: frozenset[str]
    negated: frozenset[str]
    shadowed: frozenset[str]
    """Keys of what stands close behind a negation, which may speak of it as well."""
    negations: int
    passive: bool
    whole: bool
    sequence: tuple[Token, ...]
    """Every token but commas and stops."""
    names: frozenset[str]
    quantities: tuple[Item, ...]


@lru_cache(maxsize=512)
def content(text: str) -> Content:
    """Read a text. Linear in what is read, at most `ITEMS_MAX` items."""
    read = tokens(text)
    found = _items(read)
    items = found[:ITEMS_MAX]
    return Content(
        items=items,
        keys=frozenset(item.key for item in items),
        negated=frozenset(item.key for item in items if item.polarity == "negated"),
        shadowed=frozenset(item.key for item in items if item.polarity == "shadowed"),
        negations=sum(_negates(read, index) for index in range(len(read))),
        passive=_passive(read),
        whole=len(read) <= TOKENS_MAX and len(found) <= ITEMS_MAX and len(text) <= 32 * TOKENS_MAX,
        sequence=tuple(token for token in read if token.lower not in (",", ".", "\n", ":", ";", "!", "?")),
        names=frozenset(item.key for item in items if item.kind == "name"),
        quantities=tuple(item for item in items if item.kind == "quantity"),
    )


def _negates(read: Sequence[Token], index: int) -> bool:
    word = read[index].lower
    if word in lexicon.NEGATION or word.endswith("n't"):
        return True
    return word in _FAILING and index + 1 < len(read) and read[index + 1].lower == "to"


def _passive(read: Sequence[Token]) -> bool:
    """Whether an agent is named behind the verb: "was defeated by", "written by"."""
    return any(token.lower == "by" and index and read[index - 1].form == "word" for index, token in enumerate(read))


def _items(read: Sequence[Token]) -> tuple[Item, ...]:
    found = quantity_reader.find(read)
    polarity = _polarity(read)
    items: list[Item] = []
    index = 0
    while index < len(read):
        if index in found:
            quantity, end = found[index]
            items.append(_item("quantity", _spelling(quantity), quantity, "plain", read, index, end))
            index = end
            continue
        token = read[index]
        if _has_content(read, index):
            kind: ItemKind = "name" if _is_name(read, index) else "word"
            items.append(_item(kind, _key(token), None, polarity.get(index, "plain"), read, index, index + 1))
        index += 1
    return tuple(items)


def _has_content(read: Sequence[Token], index: int) -> bool:
    token = read[index]
    if token.form != "word" or _negates(read, index):
        return False
    return token.lower not in lexicon.FUNCTION or _is_letter(token)


def _is_letter(token: Token) -> bool:
    """A single capital within a sentence names something ("group A"), unless it is the pronoun."""
    return len(token.text) == 1 and token.capital and not token.opening and token.text != "I"


def _key(token: Token) -> str:
    """The stem; an acronym loses its stops (U.S. and US are one)."""
    return stem(token.lower.replace(".", "")) if "." in token.lower else stem(token.lower)


def _is_name(read: Sequence[Token], index: int) -> bool:
    """A capital within a sentence, or at its start on a word that is not an ordinary one or that a name follows."""
    token = read[index]
    if not token.capital:
        return False
    followed = index + 1 < len(read) and read[index + 1].capital
    return not token.opening or followed or not lexicon.common(stem(token.lower))


def _spelling(quantity: Quantity) -> str:
    if quantity.kind == "date":
        return "date:" + "-".join("" if part is None else str(part) for part in quantity.date)
    return f"{quantity.kind}:{quantity.value:.12g}:{''.join(name for name, _ in quantity.dimension)}"


def _item(
    kind: ItemKind, key: str, quantity: Quantity | None, polarity: Polarity, read: Sequence[Token], start: int, end: int
) -> Item:
    before = read[start - 1].lower if start else ""
    after = read[end].lower if end < len(read) else ""
    return Item(kind, key, quantity, polarity, before, after, read[start].sentence)


def _polarity(read: Sequence[Token]) -> dict[int, Polarity]:
    """Places of the words that negations speak of. A second negation of one word takes the first one back."""
    found: dict[int, Polarity] = {}
    for index in range(len(read)):
        if not _negates(read, index):
            continue
        ahead = list(_content_places(read, range(index + 1, min(len(read), index + 1 + _SCOPE))))
        target = ahead or list(_content_places(read, range(index - 1, max(-1, index - 1 - _SCOPE), -1)))[:1]
        for place in target[1:]:
            found.setdefault(place, "shadowed")
        if target:
            found[target[0]] = "plain" if found.get(target[0]) == "negated" else "negated"
    return found


def _content_places(read: Sequence[Token], places: range) -> Iterator[int]:
    """The content words among the places, up to the end of the clause."""
    for place in places:
        token = read[place]
        if (token.form == "mark" and token.lower in ".!?;,\n") or token.lower == "but":
            return
        if _has_content(read, place):
            yield place
