"""Finds numbers, units, dates, clock times and ordinals in running text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache

from consensus.answers import units
from consensus.answers.quantities import SHARE, Quantity
from consensus.answers.tokens import Token, listed


def _numbered(words: str, start: int) -> dict[str, int]:
    """Each word of a line with its number; names parted by a stroke share one."""
    return {name: start + i for i, names in enumerate(words.split()) for name in names.split("/")}


_ONES = _numbered(
    "zero one two three four five six seven eight nine ten eleven twelve/dozen thirteen fourteen fifteen sixteen"
    " seventeen eighteen nineteen",
    0,
)
_TENS = {w: 10 * n for w, n in _numbered("twenty thirty forty fifty sixty seventy eighty ninety", 2).items()}
_SCALES = {
    "hundred": 1e2, "thousand": 1e3, "million": 1e6, "billion": 1e9, "trillion": 1e12, "lakh": 1e5, "crore": 1e7,
    "bn": 1e9, "mn": 1e6, "k": 1e3,
}  # fmt: skip
_SCALES_OF_MONEY = _SCALES | {"m": 1e6, "b": 1e9}
_ORDINALS = _numbered("first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth", 1)
_MONTHS = _numbered(
    "january/jan february/feb march/mar april/apr may june/jun july/jul august/aug september/sep/sept october/oct"
    " november/nov december/dec",
    1,
)
_AMBIGUOUS_MONTHS = frozenset({"may", "march", "mar", "jan", "jun", "dec", "sep", "august"})
_MONTH_CUES = listed("in of since until by last early late mid during from to between before after and")
_ABBREVIATED_MAX = 4
_CURRENCY = frozenset("$€£¥₹")
_SHORT_UNITS = listed(
    "mg kg g ug µg μg ng km m cm mm nm µm μm ft mi yd lb lbs oz ml dl cl l kw mw gw w kv v mv hz khz mhz ghz gb mb kb"
    " tb bit min hr hrs h ms ns kj j cal pa kpa mpa psi bar atm mol mm k ev kev mev kph mph ppm ppb bp ha usd eur gbp"
    " yen chf jpy inr cny aud cad sek nok dkk day yr yrs °c °f"
)
"""Units of up to three letters that count as such in running text, where most others are words ("in", "has", "US")."""
_NOT_UNITS = frozenset({"degree", "degrees", "second", "seconds", "US", "MI", "MS", "PA", "HA"})
_UNIT_BEGINNINGS = frozenset({"square", "cubic", "sq", "cu", "basis", "us", "swiss", "pounds", "pound", "horse"})
"""First words of units of two words."""
_UNIT_MAX = 20
_ONE_IS_NO_NUMBER = listed("of who that which another s is was thing day")
_NO_ONE = listed("no the this that each any every")


def find(tokens: Sequence[Token]) -> dict[int, tuple[Quantity, int]]:
    """Quantities by the index of their first token, each with the index after its last one."""
    found: dict[int, tuple[Quantity, int]] = {}
    index = 0
    while index < len(tokens):
        if _numbers_a_list(tokens, index):
            index += 1
            continue
        hit = _date(tokens, index) or _time(tokens, index) or _ordinal(tokens, index) or _number(tokens, index)
        if hit is None:
            index += 1
        else:
            found[index] = hit
            index = hit[1]
    return found


def _numbers_a_list(tokens: Sequence[Token], index: int) -> bool:
    """``1.`` or ``2)`` at the beginning of a line or a sentence."""
    token = tokens[index]
    return (
        token.form == "number"
        and token.opening
        and len(token.text) <= 2
        and _lower(tokens, index + 1) in (".", ")")
        and index + 2 < len(tokens)
        and tokens[index + 2].form == "word"
    )


def _lower(tokens: Sequence[Token], index: int) -> str:
    return tokens[index].lower if 0 <= index < len(tokens) else ""


def _integer(tokens: Sequence[Token], index: int, low: int, high: int) -> int | None:
    """A plain integer of at most four digits at ``index`` within [low, high]; an ordinal's suffix is no part of it."""
    if not 0 <= index < len(tokens) or tokens[index].form != "number":
        return None
    text = tokens[index].text
    return int(text) if text.isdecimal() and len(text) <= 4 and low <= int(text) <= high else None


def _day_end(tokens: Sequence[Token], index: int) -> int:
    return index + 1 + (_lower(tokens, index + 1) in ("st", "nd", "rd", "th"))


def _date(tokens: Sequence[Token], index: int) -> tuple[Quantity, int] | None:
    if tokens[index].form == "number":
        return _iso(tokens, index) or _day_first(tokens, index)
    month = _MONTHS.get(tokens[index].lower.rstrip("."))
    return None if month is None else _month_first(tokens, index, month)


def _iso(tokens: Sequence[Token], index: int) -> tuple[Quantity, int] | None:
    year, month, day = _integer(tokens, index, 1000, 2999), *(_integer(tokens, index + k, 1, 31) for k in (1, 2))
    if year is None or month is None or day is None or month > 12:
        return None
    if len(tokens[index + 1].text) != 2 or len(tokens[index + 2].text) != 2:
        return None
    return Quantity("date", date=(year, month, day)), index + 3


def _day_first(tokens: Sequence[Token], index: int) -> tuple[Quantity, int] | None:
    """``3 March 2020``, ``3rd of March``."""
    day = _integer(tokens, index, 1, 31)
    if day is None:
        return None
    at = _day_end(tokens, index)
    at += _lower(tokens, at) == "of"
    month = _MONTHS.get(_lower(tokens, at).rstrip("."))
    if month is None:
        return None
    year, end = _year(tokens, at + 1)
    return Quantity("date", date=(year, month, day)), end


def _month_first(tokens: Sequence[Token], index: int, month: int) -> tuple[Quantity, int] | None:
    """``March 3, 2020``, ``March 2020``, ``in March``."""
    after = index + 1 + (_lower(tokens, index + 1) == "." and len(tokens[index].text) <= _ABBREVIATED_MAX)
    day = _integer(tokens, after, 1, 31)
    year, end = _year(tokens, _day_end(tokens, after) if day is not None else after)
    sure = tokens[index].lower not in _AMBIGUOUS_MONTHS
    cued = tokens[index].capital and _lower(tokens, index - 1) in _MONTH_CUES
    if day is None and year is None and not sure and not cued:
        return None
    return Quantity("date", date=(year, month, day)), end if day is not None or year is not None else index + 1


def _year(tokens: Sequence[Token], index: int) -> tuple[int | None, int]:
    at = index + (_lower(tokens, index) in (",", "of"))
    year = _integer(tokens, at, 1000, 2999)
    return (year, at + 1) if year is not None else (None, index)


def _time(tokens: Sequence[Token], index: int) -> tuple[Quantity, int] | None:
    hour = _integer(tokens, index, 0, 24)
    if hour is None:
        return None
    minute = _integer(tokens, index + 2, 0, 59) if _lower(tokens, index + 1) == ":" else None
    at = index + 1 if minute is None else index + 3
    half = _lower(tokens, at).replace(".", "")
    if half in ("am", "pm") and hour <= 12:
        return Quantity("time", 60 * (hour % 12 + 12 * (half == "pm")) + (minute or 0)), at + 1
    return None if minute is None else (Quantity("time", 60 * hour + minute), at)


def _ordinal(tokens: Sequence[Token], index: int) -> tuple[Quantity, int] | None:
    word = tokens[index].lower
    if word in _ORDINALS:
        return Quantity("ordinal", _ORDINALS[word]), index + 1
    if tokens[index].form == "number" and _lower(tokens, index + 1) in ("st", "nd", "rd", "th"):
        return Quantity("ordinal", _value(tokens[index].text)), index + 2
    return None


def _value(text: str) -> float:
    """A number's text, at most 40 characters of it: longer ones compare by their beginning."""
    return float(text.replace(",", "")[:40].rstrip("."))


def _number(tokens: Sequence[Token], index: int) -> tuple[Quantity, int] | None:
    money = tokens[index].text if tokens[index].text in _CURRENCY else ""
    start = index + bool(money)
    read = _digits(tokens, start) or (None if money else _spelled(tokens, start))
    if read is None:
        return None
    value, end = read
    if not money and end == start + 1 and (fixed := _year_or_decade(tokens, start, value)) is not None:
        return fixed
    value, end = _scaled(tokens, end, value, bool(money))
    name, end = (money, end) if money else _unit(tokens, end)
    unit = units.unit(name)
    base, dimension = value * unit.factor + unit.offset, unit.dimension or (SHARE if name else ())
    return Quantity("number", base, name.lower(), dimension, plain=value), end


def _digits(tokens: Sequence[Token], index: int) -> tuple[float, int] | None:
    if index >= len(tokens) or tokens[index].form != "number":
        return None
    return _value(tokens[index].text), index + 1


def _spelled(tokens: Sequence[Token], index: int) -> tuple[float, int] | None:
    """``twenty-five``, ``one hundred and twenty``, ``two thousand``; "one" as a pronoun is no number."""
    total, group, at = 0.0, 0.0, index
    while at < len(tokens):
        word = tokens[at].lower
        if word in _ONES or word in _TENS:
            if group % 10 or (group % 100 and word in _TENS):
                break
            group += _ONES.get(word, 0) + _TENS.get(word, 0)
        elif word in ("hundred", "thousand") and group:
            group, total = (group * 100, total) if word == "hundred" else (0.0, total + group * 1000)
        elif not (word == "and" and at > index and _lower(tokens, at - 1) in ("hundred", "thousand")
                  and (_lower(tokens, at + 1) in _ONES or _lower(tokens, at + 1) in _TENS)):  # fmt: skip
            break
        at += 1
    alone = at == index + 1 and tokens[index].lower == "one"
    if at == index or (alone and (_lower(tokens, at) in _ONE_IS_NO_NUMBER or _lower(tokens, index - 1) in _NO_ONE)):
        return None
    return total + group, at


def _year_or_decade(tokens: Sequence[Token], index: int, value: float) -> tuple[Quantity, int] | None:
    if _integer(tokens, index, 1000, 2999) is None:
        return None
    if _lower(tokens, index + 1) == "s" and value % 10 == 0:
        return Quantity("decade", value), index + 2
    following = _lower(tokens, index + 1)
    if following in _SCALES or following == "%" or _unit(tokens, index + 1)[0]:
        return None
    return Quantity("date", date=(int(value), None, None)), index + 1


def _scaled(tokens: Sequence[Token], end: int, value: float, money: bool) -> tuple[float, int]:
    scales = _SCALES_OF_MONEY if money else _SCALES
    while _lower(tokens, end) in scales:
        value *= scales[_lower(tokens, end)]
        end += 1
    return value, end


def _unit(tokens: Sequence[Token], index: int) -> tuple[str, int]:
    """The longest known unit at ``index`` (up to three tokens) and the index after it."""
    words = [token.text for token in tokens[index : index + 3]]
    if not words or (tokens[index].form != "word" and words[0] not in {"%", "°", *_CURRENCY}):
        return "", index
    if words[0] in ("%", "percent"):
        return "%", index + 1
    if words[0] in ("seconds", "sec", "secs"):
        return "s", index + 1
    if words[0] in ("°", "degrees", "degree"):
        scale = words[1].lower() if len(words) > 1 else ""
        named = {"c": "°c", "celsius": "°c", "f": "°f", "fahrenheit": "°f"}.get(scale)
        return (named, index + 2) if named else ("degree", index + 1)
    for name, count in _unit_names(words):
        if _known(name):
            return name, index + count
    return "", index


@lru_cache(maxsize=1024)
def _known(name: str) -> bool:
    return units.known(name)


def _unit_names(words: Sequence[str]) -> Iterator[tuple[str, int]]:
    """What may be a unit at the beginning of ``words``, with its tokens: "km / h", "square metres", "mg"."""
    if not _may_be_unit(words[0]):
        return
    if len(words) == 3 and words[1] in ("/", "per"):
        yield " ".join(words), 3
    if len(words) > 1 and words[0].lower() in _UNIT_BEGINNINGS:
        yield " ".join(words[:2]), 2
    if len(words[0]) <= _UNIT_MAX:
        yield words[0], 1


def _may_be_unit(word: str) -> bool:
    return word not in _NOT_UNITS and (len(word) > 3 or not word.isalpha() or word.lower() in _SHORT_UNITS)
