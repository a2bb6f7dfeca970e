"""Units that are known, by symbol and by word. Data only."""

from __future__ import annotations

import math
from dataclasses import dataclass

Dimension = tuple[tuple[str, int], ...]
"""Exponents of base units, sorted: m, kg, s, A, K, mol, bit, rad, dB, month, a currency, a word for things counted."""


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
SYMBOLS: dict[str, Unit] = {
    "m": Unit(1, _LENGTH), "g": Unit(1e-3, _MASS), "s": Unit(1, _TIME), "A": Unit(1, _dim(A=1)), "K": Unit(1, _HEAT),
    "mol": Unit(1, _dim(mol=1)), "L": Unit(1e-3, _VOLUME), "l": Unit(1e-3, _VOLUME), "N": Unit(1, _FORCE),
    "J": Unit(1, _ENERGY), "W": Unit(1, _POWER), "Pa": Unit(1, _PRESSURE), "bar": Unit(1e5, _PRESSURE),
    "Hz": Unit(1, _dim(s=-1)), "V": Unit(1, _dim(A=-1, kg=1, m=2, s=-3)), "C": Unit(1, _dim(A=1, s=1)),
    "Ω": Unit(1, _dim(A=-2, kg=1, m=2, s=-3)), "F": Unit(1, _dim(A=2, kg=-1, m=-2, s=4)),
    "T": Unit(1, _dim(A=-1, kg=1, s=-2)), "Wh": Unit(3600, _ENERGY), "eV": Unit(1.602176634e-19, _ENERGY),
    "cal": Unit(4.184, _ENERGY), "M": Unit(1e3, _dim(m=-3, mol=1)), "B": Unit(8, _dim(bit=1)),
    "bps": Unit(1, _dim(bit=1, s=-1)),
}  # fmt: skip
PREFIXES = {
    "T": 1e12, "G": 1e9, "M": 1e6, "k": 1e3, "h": 1e2, "d": 1e-1, "c": 1e-2, "m": 1e-3, "µ": 1e-6, "μ": 1e-6, "u": 1e-6,
    "n": 1e-9, "p": 1e-12, "f": 1e-15, "": 1.0,
}  # fmt: skip
LONG_PREFIXES = {
    "tera": 1e12, "giga": 1e9, "mega": 1e6, "kilo": 1e3, "hecto": 1e2, "deci": 1e-1, "centi": 1e-2, "milli": 1e-3,
    "micro": 1e-6, "nano": 1e-9, "pico": 1e-12, "": 1.0,
}  # fmt: skip
# Words that take long prefixes, in the singular and lower case.
PREFIXABLE: dict[str, Unit] = {
    "metre": SYMBOLS["m"], "meter": SYMBOLS["m"], "gram": SYMBOLS["g"], "second": SYMBOLS["s"],
    "ampere": SYMBOLS["A"], "amp": SYMBOLS["A"], "kelvin": SYMBOLS["K"], "mole": SYMBOLS["mol"],
    "litre": SYMBOLS["L"], "liter": SYMBOLS["L"], "newton": SYMBOLS["N"], "joule": SYMBOLS["J"],
    "watt": SYMBOLS["W"], "pascal": SYMBOLS["Pa"], "hertz": SYMBOLS["Hz"], "volt": SYMBOLS["V"],
    "coulomb": SYMBOLS["C"], "ohm": SYMBOLS["Ω"], "farad": SYMBOLS["F"], "tesla": SYMBOLS["T"],
    "byte": SYMBOLS["B"], "bit": Unit(1, _dim(bit=1)), "calorie": SYMBOLS["cal"], "molar": SYMBOLS["M"],
    "electronvolt": SYMBOLS["eV"],
}  # fmt: skip
# Units without prefixes, symbols and words, lower case.
FIXED: dict[str, Unit] = {
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
    "ounce": Unit(0.028349523125, _MASS), "tonne": Unit(1e3, _MASS), "t": Unit(1e3, _MASS),
    "mph": Unit(0.44704, _dim(m=1, s=-1)),
    "kph": Unit(1 / 3.6, _dim(m=1, s=-1)), "kmh": Unit(1 / 3.6, _dim(m=1, s=-1)),
    "knot": Unit(1852 / 3600, _dim(m=1, s=-1)), "hp": Unit(745.6998715822702, _POWER),
    "horsepower": Unit(745.6998715822702, _POWER), "atm": Unit(101325, _PRESSURE),
    "psi": Unit(6894.757293168, _PRESSURE),
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
MONEY = {
    "$": "USD", "us$": "USD", "usd": "USD", "dollar": "USD", "us dollar": "USD", "€": "EUR", "eur": "EUR",
    "euro": "EUR",
    "£": "GBP", "gbp": "GBP", "pound sterling": "GBP", "pounds sterling": "GBP", "¥": "JPY", "jpy": "JPY", "yen": "JPY",
    "chf": "CHF", "swiss franc": "CHF", "₹": "INR", "inr": "INR", "rupee": "INR", "cny": "CNY", "yuan": "CNY",
    "aud": "AUD", "cad": "CAD", "sek": "SEK", "nok": "NOK", "dkk": "DKK", "₩": "KRW", "krw": "KRW", "brl": "BRL",
}  # fmt: skip
