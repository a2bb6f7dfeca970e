"""Numbers, units, dates, clock times and ordinals as values that compare."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from consensus.answers import units

_CONVERTED = 0.01
"""Relative difference that rounding leaves between two statements in different units."""
_CONVERTED_KELVIN = 1e-3
"""The same for temperatures, whose values in kelvin are large: 0.3 K near body temperature."""
SHARE: units.Dimension = (("share", 1),)
"""Dimension of percentages: 5 % is not 0.05 of anything said elsewhere."""
_HEAT: units.Dimension = (("K", 1),)

Kind = Literal["number", "date", "time", "ordinal", "decade"]


@dataclass(frozen=True, slots=True)
class Quantity:
    """One quantity. ``value``: number in base units of ``dimension``; minutes since midnight (time); year (decade).

    ``date`` is (year, month, day), each possibly None. ``unit`` is the unit as written, lower case, and ``plain``
    the number before conversion.
    """

    kind: Kind
    value: float = 0.0
    unit: str = ""
    dimension: units.Dimension = ()
    date: tuple[int | None, int | None, int | None] = (None, None, None)
    plain: float = 0.0

    def matches(self, other: Quantity) -> bool:
        """Whether both can be the same quantity; a coarser date or decade matches a finer one within it. Symmetric."""
        if "date" in (self.kind, other.kind):
            return _dates_match(self, other)
        if {self.kind, other.kind} == {"number", "ordinal"}:
            return self.value == other.value and not (self.dimension or other.dimension)
        if self.kind != other.kind:
            return False
        if self.dimension != other.dimension:
            return self._unit_left_out(other)
        tolerance = 1e-9 if self.unit == other.unit else _CONVERTED_KELVIN if self.dimension == _HEAT else _CONVERTED
        return math.isclose(self.value, other.value, rel_tol=tolerance)

    def _unit_left_out(self, other: Quantity) -> bool:
        """Equal numbers of which one is given without its unit ("a record of 22,895"); shares always need theirs."""
        named = self.dimension or other.dimension
        return not (self.dimension and other.dimension) and named != SHARE and self.plain == other.plain


def _dates_match(a: Quantity, b: Quantity) -> bool:
    if a.kind == b.kind:
        both = [(p, q) for p, q in zip(a.date, b.date, strict=True) if p is not None and q is not None]
        return bool(both) and all(p == q for p, q in both)
    date, other = (a, b) if a.kind == "date" else (b, a)
    year, month, _ = date.date
    if other.kind == "decade":
        return year is not None and other.value <= year < other.value + 10
    return other.kind == "number" and not other.dimension and month is None and other.value == year
