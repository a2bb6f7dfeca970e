"""The quantities that a statement names: numbers with their units, cleaned of LaTeX and emphasis."""

from __future__ import annotations

import re
from dataclasses import dataclass

from consensus.answers import numerals, units

_LATEX = (
    (re.compile(r"\\(?:text|mathrm|textbf|mathbf|boxed|rm|operatorname)\s?\{([^{}]{0,80})\}"), r"\1"),
    (re.compile(r"\\boxed\s?|\\[,;:! ()\[\]]|\\(?:left|right|displaystyle)\b"), " "),
    (re.compile(r"[*_`]{1,3}(?=\S)|(?<=\S)[*_`]{1,3}(?=\s|$)"), " "),
    (re.compile(r"\\%"), "%"),
    (re.compile(r"\\\$"), "US$"),
    (re.compile(r"\^\s?\{?\\circ\}?|\\degree"), "°"),
    (re.compile(r"(?<!S)\$([^$\n]{1,80})\$"), r"\1"),
    (re.compile(r"\\(?:approx|sim)\b"), "≈"),
)
_CLAUSE = re.compile(r"[.;!?](?=\s|$)|,\s(?=[a-z])|\n|\\\]|\\\)|\s(?:because|since|which|so)\b")
_LEAD = re.compile(
    r"[\s({\[\"'“:]{0,12}(?:(?:about|approximately|approx\.?|around|roughly|circa|exactly|nearly|equal\sto|a\stotal\sof"
    r"|the\snumber|just)\s|[~≈]\s?){0,3}",
    re.IGNORECASE,
)
_BOUND = re.compile(
    r"(?:between|from|at\s(?:least|most)|more\sthan|less\sthan|greater\sthan|fewer\sthan|up\sto|over|under|above|below"
    r"|no\s(?:more|less|fewer)\sthan|minimum|maximum)\b|[<>≤≥]|\\[lg]eq?\b",
    re.IGNORECASE,
)
_RANGE = re.compile(
    r"\s{0,3}(?:-{1,3}|–|—|\bto\b|\bor\b|\band\b|±|\+/-|\\pm)\s{0,3}(?=[-−$€£¥]?\s?[\d.])|\s?\+(?!\d)|\s?±",
    re.IGNORECASE,
)
_MONEY_BEFORE = re.compile(
    r"(?P<sign>[-−])?\s?(?P<unit>US\$|[$€£¥₹₩]"
    r"|(?:USD|EUR|GBP|JPY|CHF|INR|CNY|AUD|CAD|SEK|NOK|DKK|KRW|BRL)(?=[\s\d]))\s?",
    re.IGNORECASE,
)
_UNIT_AFTER = re.compile(
    r"\s?(?P<unit>(?:[^\W\d]|[%‰°$€£¥₹₩¢/·⋅^*²³⁻¹µμΩ.-]|(?<=\^)-?\d|(?<=[a-zA-Z])\s(?=[a-zA-Z°])){1,60})"
)
_UNIT_WORDS = 4


@dataclass(frozen=True)
class Quantity:
    """A number with its unit's text (empty: none) at text[start:end]."""

    value: float
    unit: str
    start: int
    end: int


@dataclass(frozen=True)
class Clause:
    """A statement's first clause: its text, where its quantity begins, and the quantities in it.

    ``open`` says that it states a range or a bound ("5 to 10", "at least 5", "5 ± 1") instead of one number.
    """

    text: str
    quantities: tuple[Quantity, ...]
    open: bool


def clause_end(window: str) -> int:
    """Where the first clause of a statement ends."""
    stop = _CLAUSE.search(window, 1)
    return stop.start() if stop else len(window)


def clause(window: str) -> Clause:
    """The first clause of a statement; of a calculation, what stands after its last equals sign."""
    text = _clean(window)
    text = text[: clause_end(text)]
    if "=" in text or "≈" in text[2:]:
        text = re.split(r"[=≈]", text)[-1]
    lead = _LEAD.match(text)
    begin = lead.end() if lead else 0
    if _BOUND.match(text, begin):
        return Clause(text, (), open=any(c.isdecimal() for c in text))
    found = _quantities(text, begin)
    return Clause(text, tuple(found), open=bool(found) and _RANGE.match(text, found[0].end) is not None)


def _clean(surface: str) -> str:
    for pattern, replacement in _LATEX:
        surface = pattern.sub(replacement, surface)
    return surface


def _quantities(text: str, position: int) -> list[Quantity]:
    """The quantity at ``position`` and every later one, none inside parentheses."""
    first = _quantity(text, position)
    if first is None:
        return []
    found, position = [first], first.end
    rest = re.sub(r"\([^()]{0,200}\)", lambda match: " " * len(match[0]), text)
    for start in re.finditer(r"(?<![\w.,])(?:US\$|[$€£¥])?[-−]?\.?\d", rest):
        if start.start() >= position and (later := _quantity(rest, start.start())) is not None:
            found.append(later)
            position = later.end
    return found


def _quantity(text: str, position: int) -> Quantity | None:
    """Number and unit at ``position``, the unit before ("$5", "EUR 5") or after ("5 km/h") the number."""
    before = _MONEY_BEFORE.match(text, position)
    begin = before.end() if before else position
    number = numerals.at(text, begin, money=before is not None)
    if number is None:
        return None
    if before is not None:
        return Quantity(-number.value if before["sign"] else number.value, before["unit"], position, number.end)
    unit, end = _unit_after(text, number.end)
    return Quantity(number.value, unit, position, end)


def _unit_after(text: str, position: int) -> tuple[str, int]:
    """The longest known unit of a few words; otherwise no unit."""
    match = _UNIT_AFTER.match(text, position)
    if match is None:
        return "", position
    words = match["unit"].rstrip(".,-").split(" ")
    for count in range(min(_UNIT_WORDS, len(words)), 0, -1):
        name = " ".join(words[:count]).rstrip(".")
        if name and units.known(name):
            return name, match.start("unit") + len(name)
    return "", position
