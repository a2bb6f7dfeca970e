"""Numbers: locales, units, tolerances; ranges and bounds are no number."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consensus import answers
from consensus.answers import Sameness, numerals, units
from consensus.errors import Malformed
from consensus.types import LabelKind, NumberSpec
from tests.answers.replies import label


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1234", 1234), ("1,234", 1234), ("1,234.56", 1234.56), ("1.234,56", 1234.56), ("1 234,56", 1234.56),
        ("1\u202f234", 1234), ("1’234.5", 1234.5), ("12,34,567", 1234567), ("1.234.567", 1234567), ("1_000", 1000),
        ("1,5", 1.5), ("0,123", 0.123), ("1.234", 1.234), ("-5", -5), ("−5", -5), ("– 5", -5), ("+7", 7), (".5", 0.5),
        ("1e-3", 0.001), ("1.5 × 10^-3", 0.0015), (r"3 \times 10^{-3}", 0.003), ("2x10⁻³", 0.002), ("2 * 10**5", 2e5),
        ("10^5", 1e5), ("6.02×10²³", 6.02e23), ("1/2", 0.5), (r"\frac{1}{4}", 0.25), ("1.2 million", 1.2e6),
        ("3 dozen", 36),
    ],
)  # fmt: skip
def test_numerals(text: str, value: float) -> None:
    """One value for every way to write it."""
    found = numerals.at(text, 0)
    assert found is not None
    assert found.value == value
    assert found.end == len(text)


@pytest.mark.parametrize("text", ["1,23,4", "1,2,3", "1/0", "9" * 400, "1e400", "2^5", "abc", "", "-", "."])
def test_no_numerals(text: str) -> None:
    """Separators that make no sense, and numbers beyond a double."""
    assert numerals.at(text, 0) is None


@pytest.mark.parametrize(
    ("text", "unit", "value"),
    [
        ('{"answer": 42.0}', None, 42),
        ('{"answer": "42 km"}', "m", 42000),
        ("The answer is 42.", None, 42),
        ("The answer is about 42 kg, as shown.", "g", 42000),
        ("The answer is 5 km (3.1 miles).", "m", 5000),
        ("The answer is 72 °F", "°C", pytest.approx(22.2222222)),
        ("The answer is -40 degrees Fahrenheit", "celsius", -40),
        ("the answer is 36 km/h", "m/s", 10),
        ("the answer is 5 miles per hour", "km/h", 8.04672),
        ("the answer is 3.2 × 10^-4 mol/L", "mmol/L", 0.32),
        ("the answer is 12 mg/dL", "g/L", 0.12),
        ("the answer is 5 square metres", "cm^2", 50000),
        ("the answer is 5 N·m", "J", 5),
        ("the answer is 2 hours", "min", 120),
        ("the answer is 2 years", "months", 24),
        ("the answer is 5 GB", "MB", 5000),
        ("the answer is 7 patients", "patients", 7),
        ("The answer is 5%", None, 0.05),
        ("The answer is 5%", "%", 5),
        ("The answer is 0.05", "%", 0.05),
        ("The answer is 25 basis points", "%", 0.25),
        ("The answer is $1,234.50.", "USD", 1234.5),
        ("The answer is $1,234.50.", None, 1234.5),
        ("The answer is $3M", "USD", 3_000_000),
        ("The answer is 1.234,56 €", "EUR", 1234.56),
        ("The answer is $5$.", None, 5),
        (r"\boxed{42\text{ km}}", "m", 42000),
        ("The answer is 12 * 5 = 60 dollars", "USD", 60),
        ("The answer is 5. Wait, I made a mistake. The answer is 6.", None, 6),
        ("The answer is 3.14159. Rounded, the answer is 3.14", None, 3.14),
        ("42", None, 42),
        ("about 42 kg", "kg", 42),
    ],
)
def test_reads(text: str, unit: str | None, value: float) -> None:
    """Converted to the spec's unit."""
    assert label(NumberSpec(unit=unit), text).value == value


@pytest.mark.parametrize(
    ("text", "unit", "kind"),
    [
        ("The answer is 5-10", None, LabelKind.INVALID),
        ("The answer is 5 to 10 km", "km", LabelKind.INVALID),
        ("The answer is between 5 and 10", None, LabelKind.INVALID),
        ("The answer is 5 ± 1", None, LabelKind.INVALID),
        ("The answer is more than 5", None, LabelKind.INVALID),
        ("The answer is ≥ 5", None, LabelKind.INVALID),
        ("The answer is 5 or 6", None, LabelKind.INVALID),
        ("The answer is 5 kg", "km", LabelKind.INVALID),
        ("The answer is 5 km", None, LabelKind.INVALID),
        ("The answer is €5", "USD", LabelKind.INVALID),
        ("The answer is 60 days", "months", LabelKind.INVALID),
        ('{"answer": NaN}', None, LabelKind.INVALID),
        ('{"answer": 1e999}', None, LabelKind.INVALID),
        ('{"answer": true}', None, LabelKind.INVALID),
        ('{"answer": [5]}', None, LabelKind.INVALID),
        ('{"answer": ' + "9" * 400 + "}", None, LabelKind.INVALID),
        ("There are 3 reasons for that.", None, LabelKind.INVALID),
        ("The answer is 5 ft 3 in", "cm", LabelKind.CONFLICTING),
        ("The answer is 12 of 15", None, LabelKind.CONFLICTING),
        ("The answer is 5. The answer is 6.", None, LabelKind.CONFLICTING),
        ('{"answer": null}', None, LabelKind.ABSTAINED),
    ],
)
def test_no_opinion(text: str, unit: str | None, kind: LabelKind) -> None:
    """Ranges, bounds, other dimensions and numbers that disagree."""
    assert label(NumberSpec(unit=unit), text).kind is kind


@pytest.mark.parametrize(
    ("one", "other"),
    [("mg", "Mg"), ("m", "month"), ("USD", "EUR"), ("km", "km/h"), ("J", "N"), ("patients", "doses"), ("°C", "J/K")],
)
def test_units_that_do_not_convert(one: str, other: str) -> None:
    """Another dimension, or another factor."""
    assert units.convert(1, units.unit(one), units.unit(other)) != 1


@given(st.text(max_size=64), st.text(max_size=64), st.floats(allow_nan=False, allow_infinity=False))
def test_any_unit_converts_or_not(one: str, other: str, value: float) -> None:
    """No unit's text raises; a unit converts to itself exactly."""
    units.convert(value, units.unit(one), units.unit(other))
    assert units.convert(value, units.unit(one), units.unit(one)) == value


@pytest.mark.parametrize(
    ("spec", "a", "b", "same"),
    [
        (NumberSpec(), 5, 5.0, True),
        (NumberSpec(), 0.3, 0.1 + 0.2, True),
        (NumberSpec(), 5, 5.001, False),
        (NumberSpec(abs_tolerance=0.1), 0.3, 0.2, True),
        (NumberSpec(abs_tolerance=0.1), 0.3, 0.19, False),
        (NumberSpec(rel_tolerance=0.01), 100, 101, True),
        (NumberSpec(rel_tolerance=0.01), 100, 102, False),
        (NumberSpec(rel_tolerance=0.01), 0, 0.001, False),
        (NumberSpec(abs_tolerance=1, rel_tolerance=0.001), 10, 11, True),
        (NumberSpec(abs_tolerance=0), -1, 1, False),
    ],
)
def test_tolerance(spec: NumberSpec, a: float, b: float, same: bool) -> None:
    """Either tolerance is enough; on the boundary is within; none given means equal."""
    expected = Sameness.SAME if same else Sameness.DIFFERENT
    assert answers.sameness(spec, a, b) is expected
    assert answers.sameness(spec, b, a) is expected


def test_check() -> None:
    """Finite JSON numbers only, whole ones as integers."""
    assert answers.check(NumberSpec(), 5.0) == 5
    assert isinstance(answers.check(NumberSpec(), 5.0), int)
    for value in (True, "5", None, float("nan"), float("inf"), 10**400):
        with pytest.raises(Malformed):
            answers.check(NumberSpec(), value)
