"""Charts: round ticks, places, and nothing of a name that a browser would run."""

from __future__ import annotations

import re

import pytest

from calibration.svg import HEIGHT, Axis, Line, chart


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.0, 1.0, [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]),
        (0.0, 0.514, [0.0, 0.2, 0.4]),
        (0.778, 0.847, [0.78, 0.8, 0.82, 0.84]),
        (0.0, 5.0, [0, 1, 2, 3, 4, 5]),
        (3.0, 3.0, [3.0]),
    ],
)
def test_ticks_are_round_and_on_the_axis(low: float, high: float, expected: list[float]) -> None:
    assert Axis("x", low, high).ticks() == pytest.approx(expected)


def test_ticks_of_a_logarithmic_axis() -> None:
    assert Axis("x", 50, 4000, log=True).ticks() == [50, 100, 200, 500, 1000, 2000]


def test_large_numbers_are_written_out() -> None:
    drawn = chart([Line("one", [(50, 0), (4000, 1)])], Axis("labels", 50, 4000, log=True), Axis("y", 0, 1))
    assert ">2,000<" in drawn
    assert "e+" not in drawn


def test_the_legend_lies_below_the_plot_and_is_escaped() -> None:
    drawn = chart(
        [Line("<b>", [(0, 0), (1, 1)]), Line("two", [(0, 1)]), Line("three", [(1, 0)])],
        Axis("x", 0, 1),
        Axis("y", 0, 1),
    )
    assert "<b>" not in drawn
    places = {name: float(y) for y, name in re.findall(r'y="([0-9.]+)" fill="#[0-9a-f]+">([^<]+)<', drawn)}
    assert set(places) == {"&lt;b&gt;", "two", "three"}
    assert all(y > HEIGHT for y in places.values())
    assert places["two"] == places["&lt;b&gt;"] < places["three"]
