"""Units of measurement: a unit's text to its factor and dimension, so that quantities of one dimension convert.

Dimensions are exponents of base units (m, kg, s, A, K, mol, bit, and one each for money, angle and anything unknown).
Temperatures in °C and °F have an offset and convert only by themselves, never inside a product.
"""

from __future__ import annotations

import math
import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

Dimension = tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Unit:
    """One unit: value in base units = factor × value + offset."""

    factor: float
    dimension: Dimension
    offset: float = 0.0


def _dim(**exponents: int) -> Dimension:
    return tuple(sorted(exponents.items()))


_LENGTH, _MASS, _TIME, _HEAT = _dim(m=1), _dim(kg=1), _dim(s=1), _dim(K=1)
_VOLUME, _FORCE, _ENERGY = _dim(m=3), _dim(kg=1, m=1, s=-2), _dim(kg=1, m=2, s=-2)
_POWER, _PRESSURE, _PURE = _dim(kg=1, m=2, s=-3), _dim(kg=1, m=-1, s=-2), _dim()

# Symbols that take SI prefixes, as written (case matters: mg and Mg, mW and MW).
_SYMBOLS: dict[str, Unit] = {
    "m": Unit(1, _LENGTH), "g": Unit(1e-3, _MASS), "s": Unit(1, _TIME), "A": Unit(1, _dim(A=1)), "K": Unit(1, _HEAT),
    "mol": Unit(1, _dim(mol=1)), "L": Unit(1e-3, _VOLUME), "l": Unit(1e-3, _VOLUME), "N": Unit(1, _FORCE),
    "J": Unit(1, _ENERGY), "W": Unit(1, _POWER), "Pa": Unit(1, _PRESSURE), "bar": Unit(1e5, _PRESSURE),
    "Hz": Unit(1, _dim(s=-1)), "V": Unit(1, _dim(A=-1, kg=1, m=2, s=-3)), "C": Unit(1, _dim(A=1, s=1)),
    "Ω": Unit(1, _dim(A=-2, kg=1, m=2, s=-3)), "F": Unit(1, _dim(A=2, kg=-1, m=-2, s=4)),
    "T": Unit(1, _dim(A=-1, kg=1, s=-2)), "Wh": Unit(3600, _ENERGY), "eV": Unit(1.602176634e-19, _ENERGY),
    "cal": Unit(4.184, _ENERGY), "M": Unit(1e3, _dim(m=-3, mol=1)), "B": Unit(8, _dim(bit=1)),
    "bps": Unit(1, _dim(bit=1, s=-1)),
}  # fmt: skip
_PREFIXES = {
    "T": 1e12, "G": 1e9, "M": 1e6, "k": 1e3, "h": 1e2, "d": 1e-1, "c": 1e-2, "m": 1e-3, "µ": 1e-6, "μ": 1e-6, "u": 1e-6,
    "n": 1e-9, "p": 1e-12, "f": 1e-15, "": 1.0,
}  # fmt: skip
_LONG_PREFIXES = {
    "tera": 1e12, "giga": 1e9, "mega": 1e6, "kilo": 1e3, "hecto": 1e2, "deci": 1e-1, "centi": 1e-2, "milli": 1e-3,
    "micro": 1e-6, "nano": 1e-9, "pico": 1e-12, "": 1.0,
}  # fmt: skip
# Words that take long prefixes, in the singular and lower case.
_PREFIXABLE: dict[str, Unit] = {
    "metre": _SYMBOLS["m"], "meter": _SYMBOLS["m"], "gram": _SYMBOLS["g"], "second": _SYMBOLS["s"],
    "ampere": _SYMBOLS["A"], "amp": _SYMBOLS["A"], "kelvin": _SYMBOLS["K"], "mole": _SYMBOLS["mol"],
    "litre": _SYMBOLS["L"], "liter": _SYMBOLS["L"], "newton": _SYMBOLS["N"], "joule": _SYMBOLS["J"],
    "watt": _SYMBOLS["W"], "pascal": _SYMBOLS["Pa"], "hertz": _SYMBOLS["Hz"], "volt": _SYMBOLS["V"],
    "coulomb": _SYMBOLS["C"], "ohm": _SYMBOLS["Ω"], "farad": _SYMBOLS["F"], "tesla": _SYMBOLS["T"],
    "byte": _SYMBOLS["B"], "bit": Unit(1, _dim(bit=1)), "calorie": _SYMBOLS["cal"], "molar": _SYMBOLS["M"],
    "electronvolt": _SYMBOLS["eV"],
}  # fmt: skip
# Units without prefixes, symbols and words, lower case.
_FIXED: dict[str, Unit] = {
    "min": Unit(60, _TIME), "minute": Unit(60, _TIME), "h": Unit(3600, _TIME), "hr": Unit(3600, _TIME),
    "hour": Unit(3600, _TIME), "sec": Unit(1, _TIME), "d": Unit(86400, _TIME), "day": Unit(86400, _TIME),
    "week": Unit(604800, _TIME), "wk": Unit(604800, _TIME), "month": Unit(1, _dim(month=1)),
    "year": Unit(12, _dim(month=1)), "yr": Unit(12, _dim(month=1)), "decade": Unit(120, _dim(month=1)),
    "century": Unit(1200, _dim(month=1)), "centurie": Unit(1200, _dim(month=1)),
    "inch": Unit(0.0254, _LENGTH), "inche": Unit(0.0254, _LENGTH), "in": Unit(0.0254, _LENGTH),
    "foot": Unit(0.3048, _LENGTH), "feet": Unit(0.3048, _LENGTH), "ft": Unit(0.3048, _LENGTH),
    "yard": Unit(0.9144, _LENGTH), "yd": Unit(0.9144, _LENGTH), "mile": Unit(1609.344, _LENGTH),
    "mi": Unit(1609.344, _LENGTH), "nmi": Unit(1852, _LENGTH), "ångström": Unit(1e-10, _LENGTH),
    "å": Unit(1e-10, _LENGTH), "acre": Unit(4046.8564224, _dim(m=2)), "hectare": Unit(1e4, _dim(m=2)),
    "ha": Unit(1e4, _dim(m=2)), "gallon": Unit(3.785411784e-3, _VOLUME), "gal": Unit(3.785411784e-3, _VOLUME),
    "lb": Unit(0.45359237, _MASS), "pound": Unit(0.45359237, _MASS), "oz": Unit(0.028349523125, _MASS),
    "ounce": Unit(0.028349523125, _MASS), "tonne": Unit(1e3, _MASS), "t": Unit(1e3, _MASS), "mph": Unit(0.44704, _dim(m=1, s=-1)),
    "kph": Unit(1 / 3.6, _dim(m=1, s=-1)), "kmh": Unit(1 / 3.6, _dim(m=1, s=-1)),
    "knot": Unit(1852 / 3600, _dim(m=1, s=-1)), "hp": Unit(745.6998715822702, _POWER),
    "horsepower": Unit(745.6998715822702, _POWER), "atm": Unit(101325, _PRESSURE), "psi": Unit(6894.757293168, _PRESSURE),
    "mmhg": Unit(133.322387415, _PRESSURE), "torr": Unit(101325 / 760, _PRESSURE), "btu": Unit(1055.05585262, _ENERGY),
    "°c": Unit(1, _HEAT, 273.15), "celsius": Unit(1, _HEAT, 273.15), "°f": Unit(5 / 9, _HEAT, 459.67 * 5 / 9),
    "fahrenheit": Unit(5 / 9, _HEAT, 459.67 * 5 / 9), "degree celsius": Unit(1, _HEAT, 273.15),
    "degrees celsius": Unit(1, _HEAT, 273.15), "degrees c": Unit(1, _HEAT, 273.15),
    "degree fahrenheit": Unit(5 / 9, _HEAT, 459.67 * 5 / 9), "degrees fahrenheit": Unit(5 / 9, _HEAT, 459.67 * 5 / 9),
    "degrees f": Unit(5 / 9, _HEAT, 459.67 * 5 / 9), "db": Unit(1, _dim(dB=1)), "°": Unit(math.pi / 180, _dim(rad=1)),
    "degree": Unit(math.pi / 180, _dim(rad=1)), "deg": Unit(math.pi / 180, _dim(rad=1)),
    "radian": Unit(1, _dim(rad=1)), "rad": Unit(1, _dim(rad=1)),
    "%": Unit(1e-2, _PURE), "percent": Unit(1e-2, _PURE), "per cent": Unit(1e-2, _PURE), "‰": Unit(1e-3, _PURE),
    "bp": Unit(1e-4, _PURE), "basis point": Unit(1e-4, _PURE), "ppm": Unit(1e-6, _PURE), "ppb": Unit(1e-9, _PURE),
    "fraction": Unit(1, _PURE), "": Unit(1, _PURE),
}  # fmt: skip
_MONEY = {
    "$": "USD", "us$": "USD", "usd": "USD", "dollar": "USD", "us dollar": "USD", "€": "EUR", "eur": "EUR", "euro": "EUR",
    "£": "GBP", "gbp": "GBP", "pound sterling": "GBP", "pounds sterling": "GBP", "¥": "JPY", "jpy": "JPY", "yen": "JPY",
    "chf": "CHF", "swiss franc": "CHF", "₹": "INR", "inr": "INR", "rupee": "INR", "cny": "CNY", "yuan": "CNY",
    "aud": "AUD", "cad": "CAD", "sek": "SEK", "nok": "NOK", "dkk": "DKK", "₩": "KRW", "krw": "KRW", "brl": "BRL",
}  # fmt: skip
_CURRENCIES = frozenset(_MONEY.values())
_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")
_FACTOR = re.compile(r"(.*?[^\d^*+-])\^?\{?(-?\d)?\}?")


@lru_cache(maxsize=1024)
def unit(text: str) -> Unit:
    """The unit that ``text`` names. One that is not known is a dimension of its own ("patients"): it converts to itself."""
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
    if text in _FIXED:
        return _FIXED[text]
    lower = " ".join(text.casefold().split())
    return (
        _symbol(text)
        or _word(lower)
        or _word(lower.removesuffix("s"))
        or _word(lower.removesuffix("."))
        or (_symbol(lower) if len(text) > 1 else None)
    )


def _word(lower: str) -> Unit | None:
    if lower in _MONEY:
        return Unit(1, ((_MONEY[lower], 1),))
    return _FIXED.get(lower) or _prefixed_word(lower)


def _symbol(text: str) -> Unit | None:
    for cut in (0, 1):
        base = _SYMBOLS.get(text[cut:])
        factor = _PREFIXES.get(text[:cut])
        if base is not None and factor is not None:
            return Unit(base.factor * factor, base.dimension)
    return None


def _prefixed_word(word: str) -> Unit | None:
    for prefix, factor in _LONG_PREFIXES.items():
        base = _PREFIXABLE.get(word[len(prefix) :]) if word.startswith(prefix) else None
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
