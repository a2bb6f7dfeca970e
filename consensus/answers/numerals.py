"""Numbers as people and models write them: separators of several locales, powers of ten, scale words, ranges.

Separators. A comma or a point that occurs more than once, a space, a no-break or thin space, an apostrophe and an
underscore between groups of three digits (or two, as in 12,34,567) separate thousands. Where both a comma and a point
occur, the last one is the decimal mark. A single comma before exactly three digits separates thousands ("1,234", but
"0,123" is a decimal, since no group starts with 0); before any other count of digits it is a decimal mark. A single
point is always a decimal mark.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

_DIGITS = r"\d{1,400}(?:[.,]\d{1,400}|[  \u2009\u202f'’_](?=\d{3}(?!\d))\d{3}){0,40}"
_RAISED = "⁰¹²³⁴⁵⁶⁷⁸⁹"
_POWER = (
    r"(?:\^|\*\*)\s?[{(]{0,2}\s?(?P<power>[-−–+]?\s?\d{1,4})\s?[)}]{0,2}"
    rf"|(?P<raised>[⁻⁺]?[{_RAISED}]{{1,4}})"
)
NUMBER = re.compile(
    rf"(?P<sign>[-−–+]\s?)?(?:(?P<digits>{_DIGITS}|\.\d{{1,400}})"
    r"(?:[eE](?P<exp>[-+−]?\d{1,4})(?!\d))?"
    rf"(?:\s?(?P<base>[x×*·⋅]|\\times|\\cdot)\s?10\s?(?:{_POWER}))?)(?![\^⁰¹²³⁴⁵⁶⁷⁸⁹]|\*\*)"
)
_TEN = re.compile(rf"(?P<sign>[-−–+]\s?)?(?P<digits>1)0(?P<exp>)(?:{_POWER})")
_FRACTION = re.compile(
    r"\\d?frac\s?\{\s?([-−]?\d{1,15})\s?\}\s?\{\s?(\d{1,15})\s?\}|(\d{1,15})\s?[/⁄]\s?(\d{1,15})(?![\d/])"
)
_SCALE = {
    "thousand": 1e3, "k": 1e3, "million": 1e6, "mn": 1e6, "mio": 1e6, "m": 1e6, "billion": 1e9, "bn": 1e9, "b": 1e9,
    "trillion": 1e12, "tn": 1e12, "lakh": 1e5, "crore": 1e7, "dozen": 12.0, "hundred": 1e2,
}  # fmt: skip
_SCALE_WORD = re.compile(
    r"\s{0,2}(thousand|million|billion|trillion|hundred|dozen|lakh|crore|mn|mio|bn|tn)s?\b", re.IGNORECASE
)
_SCALE_LETTER = re.compile(r"\s?([kKmMbB])\b(?!\s?/)")
_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺", "0123456789-+")
_GROUPED = re.compile(r"\d{1,3}(?:(?P<s>[.,'’_\s])\d{3})(?:(?P=s)\d{3}){0,130}|\d{1,2}(?:,\d{2}){1,100},\d{3}")


@dataclass(frozen=True)
class Number:
    """A number at text[start:end]."""

    value: float
    start: int
    end: int


def numeral(text: str) -> float | None:
    """The value of digits with separators, without sign or exponent; None when the separators make no sense."""
    plain = re.sub(r"[\s\u2009\u202f]", " ", text)
    last_comma, last_point = plain.rfind(","), plain.rfind(".")
    mark = max(last_comma, last_point)
    if mark < 0:
        return _whole(plain)
    single = plain.count(plain[mark]) == 1
    thousands = not single or (plain[mark] == "," and last_point < 0 and _GROUPED.fullmatch(plain) and plain[0] != "0")
    if thousands:
        return _whole(plain)
    whole, fraction = _whole(plain[:mark] or "0"), plain[mark + 1 :]
    if whole is None or not fraction.isdecimal():
        return None
    return _finite(f"{whole:.0f}.{fraction}") if whole < 2**53 else whole


def _whole(text: str) -> float | None:
    """Digits in groups, or without groups."""
    if text.isdecimal():
        return _finite(text)
    return _finite(re.sub(r"[^\d]", "", text)) if _GROUPED.fullmatch(text) else None


def _finite(digits: str) -> float | None:
    value = float(digits)
    return value if math.isfinite(value) else None


def at(text: str, position: int, *, money: bool = False) -> Number | None:
    """The number that starts at ``position``. ``money`` allows the letters k, M and B as scale ("$3M")."""
    if (fraction := _FRACTION.match(text, position)) is not None:
        top, bottom = (fraction[1], fraction[2]) if fraction[1] else (fraction[3], fraction[4])
        value = float(top.replace("−", "-")) / float(bottom) if float(bottom) else None
        return None if value is None else Number(value, position, fraction.end())
    match = _TEN.match(text, position) or NUMBER.match(text, position)
    magnitude = numeral(match["digits"]) if match else None
    if match is None or magnitude is None:
        return None
    value = _scaled(magnitude, match)
    end = match.end()
    scale = _SCALE_WORD.match(text, end) or (_SCALE_LETTER.match(text, end) if money else None)
    if scale is not None and value is not None:
        value, end = value * _SCALE[scale[1].lower()], scale.end()
    if value is None or not math.isfinite(value):
        return None
    return Number(-value if (match["sign"] or "+")[0] in "-−–" else value, position, end)


def _scaled(magnitude: float, match: re.Match[str]) -> float | None:
    written = match["exp"] or match["power"] or match["raised"]
    if not written:
        return magnitude
    exponent = int(re.sub(r"[−–]", "-", written.translate(_SUPERSCRIPTS)).replace(" ", ""))
    # One rounding from decimal digits instead of two: 1.1e-3 must equal 0.0011.
    return float(f"{magnitude!r}e{exponent}") if abs(exponent) <= 400 and "e" not in repr(magnitude) else None
