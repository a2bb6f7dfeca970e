"""A text and a question prepared for scoring: content stems with kind and place."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from consensus.answers import lexicon
from consensus.answers.tokens import Token, listed, stem, tokens

_FADE = 0.35
"""Weight of a word relative to one a sentence earlier: answers come first, details later."""
_FADED_MIN = 0.1
Focus = Literal["quantity", "name", "any"]
_NUMBER_WORDS = {
    name: str(number)
    for number, names in enumerate(
        (
            "zero", "one first once", "two second twice", "three third", "four fourth", "five fifth", "six sixth",
            "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen",
            "seventeen", "eighteen", "nineteen", "twenty",
        )
    )
    for name in names.split()
}  # fmt: skip
_QUANTITY_ASKED = listed("when year date many much long old tall far often high big fast")
_NAME_ASKED = listed("who whose whom where which name")


@dataclass(frozen=True, slots=True)
class Word:
    """A content word's stem: ``kind`` n(umber), c(apital) or l(ower case), ``placed`` its weight by place in (0, 1]."""

    kind: str
    placed: float


@dataclass(frozen=True)
class Profile:
    """One text, prepared once: content stems, those of its first sentence, its trigrams, whether it hedges."""

    words: Mapping[str, Word]
    opening: frozenset[str]
    trigrams: frozenset[str]
    hedges: bool


@dataclass(frozen=True)
class Question:
    """What is asked: its stems, which any answer may repeat, and what kind of word its answer is."""

    stems: frozenset[str]
    focus: Focus


@lru_cache(maxsize=512)
def profile(text: str) -> Profile:
    """Prepare one text. Linear in its length (of which `tokens.TOKENS_MAX` tokens are read)."""
    words: dict[str, Word] = {}
    opening: set[str] = set()
    spelled: list[str] = []
    hedges = False
    read = tokens(text)
    first = next((token.sentence for token in read if token.form != "mark"), 0)
    for token in read:
        hedges = hedges or token.lower in lexicon.HEDGE
        key = _key(token)
        if token.form == "mark":
            continue
        spelled.append(key)
        kind = _kind(token, key)
        if token.lower in lexicon.FUNCTION and kind != "n":
            continue
        if key not in words or (kind == "c" and words[key].kind == "l"):
            placed = words[key].placed if key in words else max(_FADED_MIN, _FADE**token.sentence)
            words[key] = Word(kind, placed)
        if token.sentence == first:
            opening.add(key)
    return Profile(words, frozenset(opening), _trigrams(spelled), hedges)


def _key(token: Token) -> str:
    if token.form == "number":
        return token.text.replace(",", "")
    return _NUMBER_WORDS.get(token.lower) or stem(token.lower.replace(".", ""))


def _kind(token: Token, key: str) -> str:
    if key[0].isdigit() or key[0] == "-":
        return "n"
    return "c" if token.capital else "l"


def _trigrams(spelled: Iterable[str]) -> frozenset[str]:
    line = f" {' '.join(spelled)} "
    return frozenset(line[i : i + 3] for i in range(len(line) - 2))


@lru_cache(maxsize=64)
def question(text: str) -> Question:
    """Read a question; the empty text stands for an unknown one."""
    read = [token for token in tokens(text) if token.form != "mark"]
    heard = {token.lower for token in read}
    focus: Focus = "quantity" if heard & _QUANTITY_ASKED else "name" if heard & _NAME_ASKED else "any"
    return Question(frozenset(_key(token) for token in read), focus)
