"""Which option a piece of text names: by its id or by its whole text, never by a letter that happens to match."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from consensus.types import Option

_OPEN = re.compile(
    r"(?:\\(?:boxed|text|textbf|mathrm|mathbf|textit|fbox)\s?|\\[(\[]|[{}\[(*_`'\"“‘$<\s]"
    r"|(?:option|choice|letter|answer)\b[\s#:]?){0,12}",
    re.IGNORECASE,
)
_WRAPPED = "([{}*_`'\"“‘$<"
_CLOSE = r"[)\]}*_`'\"”’$>\\]{0,8}\s{0,3}"
_AFTER = re.compile(
    _CLOSE + r"(?:$|[.,;:!?\n–—-]"
    r"|\b(?:because|since|as|which|for|due|and|or|with|is|based|given|by|where|that)\b)"
)
_JOIN = re.compile(
    _CLOSE + r"(?:,\s{0,3})?(?:and/or|and|or|nor|&|/|\+|as\swell\sas"
    r"|,(?=\s{0,3}(?:\(|[A-Z]\s{0,3}(?:[,.)}\]\n]|$|and\b|or\b))))\s{0,3}"
    r"(?:option\s|choice\s|either\s|both\s)?",
    re.IGNORECASE,
)
_AFFIRMATION = (
    r"[)\]*\"”]{0,4}\s(?:is|must\sbe|would\sbe)\s(?:therefore\s|thus\s|clearly\s)?the\s(?:only\s|most\s|single\s)?"
    r"(?:correct|right|best|appropriate|accurate|likely)\s(?:answer|option|choice)\b"
)
_GOES_ON = re.compile(r"[-'’_^=>+(](?:[^\W_]|\{)|<(?![A-Z_]{2,20}>)[^\W_]")
"""After a name: the rest of a word or a formula. An end-of-sequence token such as "<EOS_TOKEN>" is neither."""
_WORDLIKE = frozenset({"a", "i"})
"""One-letter ids that are English words: bare, they need punctuation or a line's end after them."""


def fold(text: str) -> str:
    """Case, width, spacing and surrounding punctuation removed: what two spellings of one option text share."""
    words = " ".join(unicodedata.normalize("NFKC", text).casefold().replace("_", " ").split())
    return words.strip(" .,;:!?*`'\"“”‘’()[]{}$\\")


@dataclass(frozen=True)
class Named:
    """Options named at one place: ids in order of mention, and the [start, end) of the mention."""

    ids: tuple[str, ...]
    start: int
    end: int


class Names:
    """All the ways in which the options of one spec can be named."""

    def __init__(self, options: Sequence[Option]) -> None:
        self._exact = {option.id: option.id for option in options}
        self._full = {option.id: option.text.strip() for option in options if option.id != option.text}
        self._whole = {option.id: option.text for option in options}
        self._folded = _unambiguous([(option.id.casefold(), option.id) for option in options])
        self._texts = _unambiguous([(fold(form), option.id) for option in options for form in _forms(option)])
        ids = sorted((re.escape(option.id) for option in options), key=len, reverse=True)
        self._pattern = re.compile("|".join(ids), re.IGNORECASE)
        self._listed = re.compile(rf"(?<!\w)(?P<id>{'|'.join(ids)})[).:]{{1,2}}\*{{0,2}}\s{{1,3}}")
        self._affirmed = re.compile(rf"(?<![\w.-])(?P<id>{'|'.join(ids)}){_AFFIRMATION}", re.IGNORECASE)
        letters = "".join(option.id for option in options if len(option.id) == 1 and option.id.isupper())
        self._run = re.compile(rf"[({{\[][{letters}]{{2,26}}[)}}\]]") if letters else None

    def text(self, option: str) -> str:
        """The text of an option id."""
        return self._whole[option]

    def whole(self, text: str) -> str | None:
        """The option that the whole of ``text`` names, or None."""
        stripped = text.strip()
        if stripped in self._exact:
            return stripped
        bare = fold(stripped)
        if bare in self._texts:
            return self._texts[bare]
        named = self.at(stripped, 0)
        closed = named is not None and len(named.ids) == 1 and not fold(stripped[named.end :])
        return named.ids[0] if named is not None and closed else None

    def at(self, text: str, position: int) -> Named | None:
        """The ids named at ``position`` ("(B)", "**B.**", "B and C"), or None."""
        opening = _OPEN.match(text, position)
        begin = opening.end() if opening else position
        if self._run is not None and begin > 0 and (run := self._run.match(text, begin - 1)) is not None:
            return Named(tuple(dict.fromkeys(run[0][1:-1])), begin, run.end() - 1)
        first = self._id(text, begin, wrapped=begin > position and text[begin - 1] in _WRAPPED)
        if first is None:
            return None
        ids, end = [first[0]], first[1]
        while len(ids) < len(self._exact) and (join := _JOIN.match(text, end)) is not None:
            opening = _OPEN.match(text, join.end())
            begin_next = opening.end() if opening else join.end()
            wrapped = text[begin_next - 1] in _WRAPPED
            following = self._id(text, begin_next, wrapped=wrapped)
            if following is None:
                break
            ids.append(following[0])
            end = following[1]
        return Named(tuple(dict.fromkeys(ids)), begin, end)

    def phrase(self, text: str, begin: int, end: int) -> Named | None:
        """The option whose whole text stands at the start of text[begin:end], up to a sentence's or the line's end."""
        for stop in _stops(text, begin, end):
            if (found := self._texts.get(fold(text[begin:stop]))) is not None:
                return Named((found,), begin, stop)
        return None

    def mentions(self, text: str) -> list[Named]:
        """Places where an id stands together with its own text: "B. decreased dentition"."""
        found: list[Named] = []
        for match in self._listed.finditer(text):
            option = self._exact.get(match["id"])
            wanted = None if option is None else self._full[option]
            if option is not None and wanted and _same_start(text, match.end(), wanted):
                found.append(Named((option,), match.start("id"), match.end() + len(wanted)))
        return found

    def affirmed(self, text: str) -> list[Named]:
        """Places where an id is called the right answer: "(B) is the correct option"."""
        found: list[Named] = []
        for match in self._affirmed.finditer(text):
            option = self._exact.get(match["id"])
            if option is not None:
                found.append(Named((option,), *match.span("id")))
        return found

    def _id(self, text: str, begin: int, *, wrapped: bool) -> tuple[str, int] | None:
        match = self._pattern.match(text, begin)
        if match is None or (match.end() < len(text) and _in_word(text, match.end())):
            return None
        marked = wrapped or len(match[0]) > 1 or text.startswith(")", match.end())
        found = self._exact.get(match[0]) or (self._folded.get(match[0].casefold()) if marked else None)
        if found is None or (match[0].casefold() in _WORDLIKE and not wrapped and not _AFTER.match(text, match.end())):
            return None
        return found, match.end()


def _same_start(text: str, position: int, wanted: str) -> bool:
    return text[position : position + len(wanted)].casefold() == wanted.casefold()


def _in_word(text: str, end: int) -> bool:
    """Whether a name that ends at ``end`` goes on: "B" in "Bob", "B12", "B-cell", "A's", "E_{cell}", "f(R)"."""
    if text[end].isalnum() and text[end - 1].isalnum():
        return True
    return _GOES_ON.match(text, end) is not None


def _forms(option: Option) -> tuple[str, ...]:
    return (
        option.text,
        f"{option.id} {option.text}",
        f"{option.id}) {option.text}",
        f"{option.id}. {option.text}",
        f"{option.id}: {option.text}",
        f"({option.id}) {option.text}",
    )


def _unambiguous(pairs: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Names that mean exactly one option; empty names mean none."""
    meaning: dict[str, set[str]] = {}
    for name, option in pairs:
        meaning.setdefault(name, set()).add(option)
    return {name: next(iter(ids)) for name, ids in meaning.items() if len(ids) == 1 and name}


_STOP = re.compile(r"[.;!?]\s|,\s|\s(?:because|since|as|which|due|\()|\n")


def _stops(text: str, begin: int, end: int) -> list[int]:
    """Places where an option text may end, longest first: the window's end, then clause ends before it."""
    inner = [match.start() for match in _STOP.finditer(text, begin, end)]
    return [end, *reversed(inner[:20])]


@lru_cache(maxsize=512)
def names(options: tuple[Option, ...]) -> Names:
    """The names of a spec's options, kept for the next answers to the same question."""
    return Names(options)
