"""Units of measurement: a unit's text to its factor and dimension, so that quantities of one dimension convert.

Temperatures in °C and °F have an offset: they convert only by themselves, never inside a product. Months and years are
a dimension of their own, since a month has no fixed length; currencies are one each, since their rates are not ours.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from consensus.answers.unit_table import (
    FIXED,
    LONG_PREFIXES,
    MONEY,
    PREFIXABLE,
    PREFIXES,
    SYMBOLS,
    Dimension,
    Unit,
)

__all__ = ["Dimension", "Unit", "convert", "is_money", "known", "unit"]

_CURRENCIES = frozenset(MONEY.values())
_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")
_SMALLEST = 1e-150
"""Bound on a product's factor, so that no conversion over- or underflows."""
_FACTOR = re.compile(r"(.*?[^\d^*+-])\^?\{?(-?\d)?\}?")


@lru_cache(maxsize=1024)
def unit(text: str) -> Unit:
    """The unit that ``text`` names. One that is not known ("patients") is a dimension of its own."""
    plain = unicodedata.normalize("NFC", text.strip())
    simple = _simple(plain)
    return simple if simple is not None else _compound(plain) or _own(plain)


def convert(value: float, source: Unit, target: Unit) -> float | None:
    """``value`` in the target unit, or None when the dimensions differ."""
    if source.dimension != target.dimension:
        return None
    if source == target:
        return value
    return (value * source.factor + source.offset - target.offset) / target.factor


def known(text: str) -> bool:
    """Whether a unit's text is in the tables (as opposed to a word that counts things)."""
    plain = unicodedata.normalize("NFC", text.strip())
    return _simple(plain) is not None or _compound(plain) is not None


def is_money(source: Unit) -> bool:
    """Whether a unit is a currency."""
    return len(source.dimension) == 1 and source.dimension[0][0] in _CURRENCIES


def _simple(text: str) -> Unit | None:
    """A unit of one word: as written first, because mg is not Mg, then without case and plural."""
    if text in FIXED:
        return FIXED[text]
    lower = " ".join(text.casefold().split())
    return (
        _symbol(text)
        or _word(lower)
        or _word(lower.removesuffix("s"))
        or _word(lower.removesuffix("."))
        or (_symbol(lower) if len(text) > 1 else None)
    )


def _word(lower: str) -> Unit | None:
    if lower in MONEY:
        return Unit(1, ((MONEY[lower], 1),))
    return FIXED.get(lower) or _prefixed_word(lower)


def _symbol(text: str) -> Unit | None:
    for cut in (0, 1):
        base = SYMBOLS.get(text[cut:])
        factor = PREFIXES.get(text[:cut])
        if base is not None and factor is not None:
            return Unit(base.factor * factor, base.dimension)
    return None


def _prefixed_word(word: str) -> Unit | None:
    for prefix, factor in LONG_PREFIXES.items():
        base = PREFIXABLE.get(word[len(prefix) :]) if word.startswith(prefix) else None
        if base is not None:
            return Unit(base.factor * factor, base.dimension)
    return None


def _compound(text: str) -> Unit | None:
    """Products and quotients: "km/h", "mg per dL", "m^2", "square metres", "N·m"."""
    over = re.split(r"\s?/\s?|\s+per\s+", text.translate(_SUPERSCRIPTS))
    if not 1 <= len(over) <= 4:
        return None
    factor, exponents = 1.0, dict[str, int]()
    for index, product in enumerate(over):
        for part in re.split(r"\s?[·⋅*×]\s?|(?<=[a-zA-Z\d])\s(?=[a-zA-Z])", _powers(product)):
            power = _power(part)
            if power is None:
                return None
            sign = -1 if index else 1
            factor *= power.factor**sign
            for name, exponent in power.dimension:
                exponents[name] = exponents.get(name, 0) + sign * exponent
    if not _SMALLEST < factor < 1 / _SMALLEST:
        return None
    return Unit(factor, tuple(sorted((name, e) for name, e in exponents.items() if e)))


def _powers(text: str) -> str:
    for word, exponent in (("square", 2), ("sq", 2), ("cubic", 3), ("cu", 3)):
        text = re.sub(rf"\b{word}\.?\s([a-zA-Z]{{1,20}})", rf"\1^{exponent}", text)
    return text


def _power(text: str) -> Unit | None:
    match = _FACTOR.fullmatch(text.strip())
    base = _simple(match[1].strip()) if match else None
    if match is None or base is None or base.offset:
        return None
    exponent = int(match[2] or 1)
    return Unit(base.factor**exponent, tuple((name, e * exponent) for name, e in base.dimension))


def _own(text: str) -> Unit:
    word = " ".join(text.casefold().split())
    return Unit(1, ((f"'{word.removesuffix('s')}'", 1),))
