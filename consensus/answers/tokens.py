"""A text as tokens: words, numbers and marks with their sentence. What every comparison of texts starts from."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

TOKENS_MAX = 1_500
"""Tokens that are compared; a text with more is never called the same as another one unless they are equal."""

Form = Literal["word", "number", "mark"]

_TOKEN = re.compile(
    r"(?P<word>(?:[^\W\d_]\.){2,8}|[^\W\d_]+(?:['’][^\W\d_]{1,3})?)"
    r"|(?P<number>(?:(?<![\w.)])[-−])?\d{1,3}(?:,\d{3})+(?:\.\d+)?(?!\d)|(?:(?<![\w.)])[-−])?\d+(?:\.\d+)?)"
    r"|(?P<mark>[.!?;:,()\n%°$€£¥₹/&=<>≤≥+]|[-–—](?=\s))"
)
_CITATION = re.compile(r"(?<=[a-z]{3})\d{1,2}(?=[.,;]?(?:\s|$))|\[\d{1,3}\]")
"""Numbers of footnotes that some systems stick to the word before."""
_PREAMBLE = re.compile(
    r"\s*as an? (?:ai|artificial|language)\b[^.]{0,200}?(?:\.\s+(?:however,?\s+|but\s+)?|,\s+(?:but|however),?\s+)",
    re.IGNORECASE,
)
"""What a model says of itself before it answers."""
_QUOTES = str.maketrans({"’": "'", "‘": "'", "“": '"', "”": '"', "«": '"', "»": '"', "−": "-", "\u00a0": " "})
_BOUNDARY = frozenset(".!?;:\n")


@dataclass(frozen=True, slots=True)
class Token:
    """``text`` as written; ``lower`` without case and accents; ``sentence`` from 0; ``opening``: the first of one."""

    text: str
    lower: str
    form: Form
    sentence: int
    opening: bool

    @property
    def capital(self) -> bool:
        return self.text[0].isupper()


def listed(words: str) -> frozenset[str]:
    """The words of a line as a set."""
    return frozenset(words.split())


def canonical(text: str) -> str:
    """NFKC, one case, plain quotes, single spaces, no closing full stop: what equal answers have in common."""
    flat = unicodedata.normalize("NFKC", text).translate(_QUOTES).casefold()
    return " ".join(flat.split()).rstrip(".").strip()


def fold(word: str) -> str:
    """Lower case without Latin accents (marks of other scripts change meaning and stay)."""
    if word.isascii():
        return word.lower()
    parts = unicodedata.normalize("NFKD", word.casefold())
    return unicodedata.normalize("NFC", "".join(c for c in parts if not "\u0300" <= c <= "\u036f"))


@lru_cache(maxsize=512)
def tokens(text: str) -> tuple[Token, ...]:
    """The first `TOKENS_MAX` + 1 tokens of ``text``: linear in what is read."""
    flat = unicodedata.normalize("NFKC", text[: 32 * TOKENS_MAX]).translate(_QUOTES)
    preamble = _PREAMBLE.match(flat)
    plain = _CITATION.sub("", flat[preamble.end() if preamble else 0 :])
    found: list[Token] = []
    sentence, opening = 0, True
    for match in _TOKEN.finditer(plain):
        written = match.group()
        form: Form = "word" if match["word"] else "number" if match["number"] else "mark"
        found.append(Token(written, fold(written), form, sentence, opening and form != "mark"))
        if len(found) > TOKENS_MAX:
            break
        if form != "mark":
            opening = False
        elif written in _BOUNDARY and not opening:
            opening = True
            sentence += _ends_sentence(plain, match.end(), written)
    return tuple(found)


def _ends_sentence(text: str, end: int, mark: str) -> int:
    """1 when a sentence ends here; a full stop after one letter ("J. Smith") or without a space is none."""
    if mark == "\n":
        return 1
    initial = end >= 2 and text[end - 2].isupper() and (end < 3 or not text[end - 3].isalnum())
    return int(mark in ".!?;" and not initial and (end == len(text) or text[end].isspace()))


_SUFFIXES = (
    ("ational", 3), ("ingly", 3), ("edly", 3), ("ies", 3), ("ied", 3), ("ing", 3), ("est", 4), ("ed", 3), ("es", 3),
    ("ly", 3), ("er", 4), ("s", 3), ("e", 3),
)  # fmt: skip
"""Endings, each with the letters that must remain before it."""


@lru_cache(maxsize=8192)
def stem(word: str) -> str:
    """A short common form of the inflections of one lower-case English word; other words pass unchanged."""
    plain = word.removesuffix("'s").removesuffix("s'")
    if len(plain) <= 3 or not plain.isascii():
        return plain
    for suffix, least in _SUFFIXES:
        rest = plain.removesuffix(suffix)
        if rest != plain and len(rest) >= least and not (suffix == "s" and rest.endswith(("s", "u", "i"))):
            return _trim(rest + ("y" if suffix in ("ies", "ied") else ""))
    return _trim(plain)


def _trim(rest: str) -> str:
    """Undo the doubled consonant (stopped, stop) and the final e (moved, move) that suffixes bring."""
    if len(rest) > 3 and rest[-1] == rest[-2] and rest[-1] not in "aeiouls":
        rest = rest[:-1]
    return rest.removesuffix("e") if len(rest) > 3 else rest
