"""Quantities in running text: what is read, and which match."""

from __future__ import annotations

import pytest

from consensus.answers.quantities import Quantity
from consensus.answers.quantity_reader import find
from consensus.answers.tokens import tokens


def quantities(text: str) -> list[Quantity]:
    return [quantity for quantity, _ in find(tokens(text)).values()]


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("twenty-five men", "number", 25),
        ("one hundred and twenty men", "number", 120),
        ("two thousand five hundred men", "number", 2_500),
        ("1,234,567 men", "number", 1_234_567),
        ("-5 points", "number", -5),
        ("3.5 million people", "number", 3_500_000),
        ("£3bn", "number", 3e9),
        ("12%", "number", 0.12),
        ("5 km", "number", 5_000),
        ("60 km/h", "number", 60 / 3.6),
        ("37 °C", "number", 310.15),
        ("the 3rd floor", "ordinal", 3),
        ("the second floor", "ordinal", 2),
        ("the 1990s", "decade", 1990),
        ("12:30 pm", "time", 750),
        ("12 a.m.", "time", 0),
    ],
)
def test_one_quantity_is_read(text: str, kind: str, value: float) -> None:
    (found,) = quantities(text)
    assert found.kind == kind
    assert found.value == pytest.approx(value)


@pytest.mark.parametrize(
    ("text", "date"),
    [
        ("3 March 2020", (2020, 3, 3)),
        ("3rd of March, 2020", (2020, 3, 3)),
        ("March 3rd, 2020", (2020, 3, 3)),
        ("2020-03-03", (2020, 3, 3)),
        ("in March", (None, 3, None)),
        ("Sept. 2020", (2020, 9, None)),
        ("2020", (2020, None, None)),
    ],
)
def test_dates_are_read_in_every_order(text: str, date: tuple[int | None, int | None, int | None]) -> None:
    (found,) = quantities(text)
    assert (found.kind, found.date) == ("date", date)


@pytest.mark.parametrize("text", ["You may march on.", "one of them", "no one", "1. Apples", "", "the one that left"])
def test_what_only_looks_like_a_quantity_is_none(text: str) -> None:
    assert quantities(text) == []


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [
        ("5 km", "5,000 m", True),
        ("5 km", "3.1 miles", True),
        ("5 km", "5 miles", False),
        ("5 km", "5.01 km", False),
        ("37 °C", "98.6 °F", True),
        ("37 °C", "99.6 °F", False),
        ("24 months", "two years", True),
        ("$5", "€5", False),
        ("22,895 yards", "22,895", True),
        ("5%", "5", False),
        ("1994", "the 1990s", True),
        ("1984", "the 1990s", False),
        ("May 1999", "3 May 1999", True),
        ("May 1999", "3 May", True),
        ("1999", "3 May", False),
        ("third", "3", True),
        ("3 pm", "15:00", True),
        ("3 pm", "3 am", False),
    ],
)
def test_which_quantities_match(a: str, b: str, same: bool) -> None:
    (one,), (other,) = quantities(a), quantities(b)
    assert one.matches(other) is same
    assert other.matches(one) is same
