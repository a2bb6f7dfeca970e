"""Whether a number that a reply states can be the value of the option that it names.

"So the cost is \\boxed{162.75}. The answer is (E)", where (E) is $9, says two things. Replies round and change units of
percent, so a number fits when it is within `TOLERANCE` of any number of the option, taken as it stands or as per cent.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice

from consensus.answers import numerals

TOLERANCE = 0.05
"""Relative difference that rounding explains."""
MAX_NUMBERS = 50
"""Numbers of one statement or option that are looked at."""

_LEAD = re.compile(
    r"(?:[\s:*_`$(\[{=≈~,.)\]}]|\\(?:boxed|text|mathrm|approx|frac)\b|[£€]|about|approximately|roughly)*+"
)
_START = re.compile(r"(?<![\w.,])[\d.]*\d|(?<=[A-Za-z\\])\d")
_SCALES = (1.0, 100.0, 0.01)


def starts_with_number(text: str, begin: int, end: int) -> bool:
    """Whether text[begin:end] is about a number: nothing but marks and brackets stand before its first digit."""
    lead = _LEAD.match(text, begin, end)
    return _number(text, lead.end() if lead else begin) is not None


def fits(stated: str, option: str) -> bool:
    """Whether some number in ``stated`` is some number of ``option``; an option without numbers fits all."""
    values = list(_numbers(option))
    return not values or any(_close(a, b) for a in _numbers(stated) for b in values)


def _numbers(text: str) -> Iterator[float]:
    """Magnitudes: signs are lost in formulas too often to tell two answers apart."""
    found = (_number(text, match.start()) for match in islice(_START.finditer(text), MAX_NUMBERS))
    return (abs(value) for value in found if value is not None)


def _number(text: str, position: int) -> float | None:
    found = numerals.at(text, position, money=True)
    return None if found is None else found.value


def _close(a: float, b: float) -> bool:
    return any(abs(a * scale - b) <= TOLERANCE * max(a * scale, b) for scale in _SCALES)
