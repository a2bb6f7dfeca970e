"""A number in the request's unit. Canonical value: an int when it is whole and at most 2⁵³, else a float.

How a number may be written: `numerals`, `units`. What is refused as no single number: ranges, bounds, "±", and a unit
of another dimension than the spec's, since it answers another question. A spec without a unit takes plain numbers,
percentages as fractions and money as it stands; "5 km" is refused, because "5 m" would read as the same 5.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any

from consensus.answers import units
from consensus.answers.explicit import Found, Statement
from consensus.answers.protocol import Ask, Reading, Sameness
from consensus.answers.reader import Reader, answer, invalid
from consensus.answers.stated_quantity import Clause, Quantity, clause, clause_end
from consensus.errors import Malformed
from consensus.types import LabelKind, LabelValue, NumberSpec

_NOISE = 1e-9
"""Relative difference that unit conversion may leave where no tolerance is given."""
_ROUNDED = 0.02
"""Relative difference allowed between one answer's own two statements of it: "5 km (3.1 miles)"."""
_VALUE_MAX = 400
_BARE_MAX = 60
_BARE_WORDS = 6


class _NumberReader(Reader):
    def __init__(self, spec: NumberSpec) -> None:
        self._spec = spec
        self._unit = units.unit(spec.unit or "")

    def value(self, value: Any) -> Reading:
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            return invalid()
        if isinstance(value, str):
            return self._stated_in(value.strip()[:_VALUE_MAX]) or invalid(value)
        number = canonical(value)
        return invalid(str(value)[:80]) if number is None else answer(number, str(value))

    def words(self, text: str, statement: Statement) -> Found | None:
        window = text[statement.begin : statement.end]
        reading = self._stated_in(window)
        if reading is None:
            return None
        span = (statement.begin, statement.begin + clause_end(window))
        return Found(statement.start, statement.begin, dataclasses.replace(reading, span=span))

    def bare(self, text: str) -> Reading | None:
        if len(text) > _BARE_MAX or len(text.split()) > _BARE_WORDS:
            return None
        reading = self._stated_in(text)
        return None if reading is None or reading.kind is LabelKind.INVALID else reading

    def same(self, a: Reading, b: Reading) -> bool:
        """Two statements of one reply may round differently."""
        if not isinstance(a.value, int | float) or not isinstance(b.value, int | float):
            return a.kind is b.kind
        return _near(a.value, b.value) or within(self._spec, a.value, b.value)

    def _stated_in(self, window: str) -> Reading | None:
        """The number that a statement's first clause states; None where it holds no number."""
        said = clause(window)
        if said.open:
            return invalid(said.text)
        return self._agreed(said) if said.quantities else None

    def _agreed(self, said: Clause) -> Reading:
        """The first quantity, provided that the others of its dimension agree with it."""
        surface = said.text.strip(" {}")
        first, *later = said.quantities
        value = self._convert(first)
        if value is None:
            return invalid(surface)
        others = [self._convert(item) for item in later if item.unit or not self._spec.unit]
        if any(other is not None and not _near(value, other) for other in others):
            return Reading(LabelKind.CONFLICTING)
        number = canonical(value)
        return invalid(surface) if number is None else answer(number, surface)

    def _convert(self, item: Quantity) -> float | None:
        """The quantity in the spec's unit; where the reply gives no unit, the spec's is meant."""
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


def _near(a: float, b: float) -> bool:
    return math.isclose(a, b, rel_tol=_ROUNDED, abs_tol=0.0)


def within(spec: NumberSpec, a: LabelValue, b: LabelValue) -> bool:
    """|a − b| ≤ abs_tolerance, or ≤ rel_tolerance × max(|a|, |b|); with neither, equal up to conversion noise."""
    if not isinstance(a, int | float) or not isinstance(b, int | float):
        return False
    absolute, relative = spec.abs_tolerance or 0.0, spec.rel_tolerance or 0.0
    # The noise lets 0.3 and 0.1 + 0.2 pass a tolerance that they meet on paper.
    return math.isclose(a, b, rel_tol=relative * (1 + _NOISE) + _NOISE, abs_tol=absolute * (1 + _NOISE))


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
        return _NumberReader(spec).read(text)

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
