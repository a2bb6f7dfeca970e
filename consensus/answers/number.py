"""A number in the request's unit. Canonical value: an int when it is whole and at most 2⁵³, else a float."""

from __future__ import annotations

import dataclasses
import math
import re
from dataclasses import dataclass
from typing import Any

from consensus.answers import numerals, units
from consensus.answers.explicit import Found, Statement
from consensus.answers.protocol import Ask, Reading, Sameness
from consensus.answers.reader import Reader, answer, invalid
from consensus.errors import Malformed
from consensus.types import LabelKind, LabelValue, NumberSpec

_NOISE = 1e-9
"""Relative difference that unit conversion may leave where no tolerance is given."""
_ROUNDED = 0.02
"""Relative difference allowed between one answer's own two statements of it: "5 km (3.1 miles)"."""
_BARE_MAX = 60

_CLAUSE = re.compile(r"[.;!?](?=\s|$)|,\s(?=[a-z])|\n|\\\]|\\\)|\s(?:because|since|which|so)\b")
_LATEX = (
    (re.compile(r"\\(?:text|mathrm|textbf|mathbf|boxed|rm|operatorname)\s?\{([^{}]{0,80})\}"), r"\1"),
    (re.compile(r"\\boxed\s?|\\[,;:! ()\[\]]|\\(?:left|right|displaystyle)\b|[*_`]{1,3}(?=\S)|(?<=\S)[*_`]{1,3}(?=\s|$)"), " "),
    (re.compile(r"\\%"), "%"), (re.compile(r"\\\$"), "US$"), (re.compile(r"\^\s?\{?\\circ\}?|\\degree"), "°"),
    (re.compile(r"(?<!S)\$([^$\n]{1,80})\$"), r"\1"), (re.compile(r"\\(?:approx|sim)\b"), "≈"),
)  # fmt: skip
_LEAD = re.compile(
    r"[\s({\[\"'“:]{0,12}(?:(?:about|approximately|approx\.?|around|roughly|circa|exactly|nearly|equal\sto|a\stotal\sof|the\snumber|just)\s|[~≈]\s?){0,3}",
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
    r"(?P<sign>[-−])?\s?(?P<unit>US\$|[$€£¥₹₩]|(?:USD|EUR|GBP|JPY|CHF|INR|CNY|AUD|CAD|SEK|NOK|DKK|KRW|BRL)(?=[\s\d]))\s?",
    re.IGNORECASE,
)
_UNIT_AFTER = re.compile(
    r"\s?(?P<unit>(?:[^\W\d]|[%‰°$€£¥₹₩¢/·⋅^*²³⁻¹µμΩ.-]|(?<=\^)-?\d|(?<=[a-zA-Z])(?:\s(?=[a-zA-Z°]))){1,60})"
)


@dataclass(frozen=True)
class _Quantity:
    value: float
    unit: str
    start: int
    end: int


def clean(surface: str) -> str:
    """LaTeX and emphasis removed, so that numbers and units stand as plain text."""
    for pattern, replacement in _LATEX:
        surface = pattern.sub(replacement, surface)
    return surface


def _quantity(text: str, position: int) -> _Quantity | None:
    """Number and unit at ``position``, the unit before ("$5", "EUR 5") or after ("5 km/h") the number."""
    before = _MONEY_BEFORE.match(text, position)
    begin = before.end() if before else position
    number = numerals.at(text, begin, money=before is not None)
    if number is None:
        return None
    if before is not None:
        value = -number.value if before["sign"] else number.value
        return _Quantity(value, before["unit"], position, number.end)
    unit, end = _unit_after(text, number.end)
    return _Quantity(number.value, unit, position, end)


def _unit_after(text: str, position: int) -> tuple[str, int]:
    """The longest known unit of up to four words; otherwise no unit."""
    match = _UNIT_AFTER.match(text, position)
    if match is None:
        return "", position
    words = match["unit"].rstrip(".,-").split(" ")
    for count in range(min(4, len(words)), 0, -1):
        name = " ".join(words[:count]).rstrip(".")
        if name and units.known(name):
            return name, match.start("unit") + len(name)
    return "", position


def _quantities(text: str, position: int) -> list[_Quantity]:
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


class _NumberReader(Reader):
    def __init__(self, spec: NumberSpec) -> None:
        self._spec = spec
        self._unit = units.unit(spec.unit or "")

    def value(self, value: Any) -> Reading:
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            return invalid()
        if isinstance(value, str):
            return self._clause(value.strip()[:400]) or invalid(value)
        number = canonical(value)
        return invalid(str(value)[:80]) if number is None else answer(number, str(value))

    def words(self, text: str, statement: Statement) -> Found | None:
        window = text[statement.begin : statement.end]
        reading = self._clause(window)
        if reading is None:
            return None
        stop = _CLAUSE.search(window, 1)
        span = (statement.begin, statement.begin + (stop.start() if stop else len(window)))
        return Found(statement.start, statement.begin, dataclasses.replace(reading, span=span))

    def bare(self, text: str) -> Reading | None:
        if len(text) > _BARE_MAX or len(text.split()) > 6:
            return None
        reading = self._clause(text)
        return None if reading is None or reading.kind is LabelKind.INVALID else reading

    def same(self, a: Reading, b: Reading) -> bool:
        """Two statements of one reply may round differently."""
        if a.kind is not b.kind or a.kind is not LabelKind.ANSWER:
            return a.kind is b.kind
        return _near(float(str(a.value)), float(str(b.value)), _ROUNDED) or within(self._spec, a.value, b.value)

    def _clause(self, window: str) -> Reading | None:
        """The number that a statement's first clause states; ranges and bounds are invalid; None without a number."""
        text = clean(window)
        stop = _CLAUSE.search(text, 1)
        clause = text[: stop.start() if stop else len(text)]
        if "=" in clause or "≈" in clause[2:]:
            clause = re.split(r"[=≈]", clause)[-1]
        lead = _LEAD.match(clause)
        begin = lead.end() if lead else 0
        if _BOUND.match(clause, begin):
            return invalid(clause) if re.search(r"\d", clause) else None
        found = _quantities(clause, begin)
        if not found:
            return None
        if _RANGE.match(clause, found[0].end):
            return invalid(clause)
        return self._agreed(found, clause.strip())

    def _agreed(self, found: list[_Quantity], surface: str) -> Reading:
        """The first quantity, provided that the others of its dimension agree with it."""
        first = self._convert(found[0])
        if first is None:
            return invalid(surface)
        others = [self._convert(item) for item in found[1:] if item.unit or not self._spec.unit]
        if any(other is not None and not _near(first, other, _ROUNDED) for other in others):
            return Reading(LabelKind.CONFLICTING)
        number = canonical(first)
        return invalid(surface) if number is None else answer(number, surface)

    def _convert(self, item: _Quantity) -> float | None:
        """The quantity in the spec's unit. Without a unit in the reply the spec's is meant; money needs no spec unit."""
        source = units.unit(item.unit)
        if not item.unit or (self._spec.unit is None and units.is_money(source)):
            return item.value
        return units.convert(item.value, source, self._unit)


def canonical(value: float) -> int | float | None:
    """15 significant digits, whole numbers up to 2⁵³ as int; None for NaN, infinity and numbers beyond a double."""
    try:
        number = float(value)
    except OverflowError:
        return None
    if not math.isfinite(number):
        return None
    if isinstance(value, int) and abs(value) <= 2**53:
        return value
    number = float(f"{number:.15g}")
    return int(number) if number.is_integer() and abs(number) <= 2**53 else number


def _near(a: float, b: float, rel: float) -> bool:
    return math.isclose(a, b, rel_tol=rel, abs_tol=0.0)


def within(spec: NumberSpec, a: LabelValue, b: LabelValue) -> bool:
    """|a − b| ≤ abs_tolerance, or ≤ rel_tolerance × max(|a|, |b|); with neither given, equal up to conversion noise."""
    if not isinstance(a, int | float) or not isinstance(b, int | float):
        return False
    absolute, relative = spec.abs_tolerance or 0.0, spec.rel_tolerance or 0.0
    # The noise lets 0.3 and 0.1 + 0.2 pass a tolerance that they meet on paper.
    return math.isclose(a, b, rel_tol=max(relative, 0.0) * (1 + _NOISE) + _NOISE, abs_tol=absolute * (1 + _NOISE))


class Number:
    """A number in the spec's unit, compared within its tolerances."""

    def ask(self, spec: NumberSpec) -> Ask:
        """Instructions and reply schema: a JSON number, or null."""
        unit = f" in {spec.unit}" if spec.unit else ""
        return Ask(
            instructions=f"The answer is one JSON number{unit}, without unit, separators or range.",
            schema={"type": ["number", "null"]},
            options=(),
            template="number/1",
        )

    def read(self, spec: NumberSpec, text: str) -> Reading:
        """The one number that the reply states, converted to the spec's unit; ranges and bounds are invalid."""
        reading = _NumberReader(spec).read(text)
        return dataclasses.replace(reading, surface=reading.surface.strip()) if reading.surface else reading

    def same(self, spec: NumberSpec, a: LabelValue, b: LabelValue) -> Sameness:
        """Within the tolerances."""
        return Sameness.SAME if a == b or within(spec, a, b) else Sameness.DIFFERENT

    def check(self, spec: NumberSpec, value: LabelValue) -> LabelValue:
        """A finite JSON number."""
        number = None if isinstance(value, bool) or not isinstance(value, int | float) else canonical(value)
        if number is None:
            raise Malformed("must be a finite number", field="answer", code="wrong_type")
        return number


TYPE = Number()
