"""Small line charts and heat maps as inline SVG, without scripts, fonts or anything fetched."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 420, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 16, 12, 42
_LEGEND_ROW, _LEGEND_COLUMN = 16, 200
_INTERVALS = 5
COLOURS = ("#1b6ca8", "#c8553d", "#4b8b3b", "#8a5fb0", "#b58900", "#5d6d7e", "#d16ba5", "#2aa198", "#333333")

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Line:
    """A series with a name for the legend; ``dashed`` for references, ``dots`` for points without a line."""

    name: str
    points: Points
    dashed: bool = False
    dots: bool = False


@dataclass(frozen=True)
class Axis:
    """A linear (or base-10 logarithmic) axis from ``low`` to ``high``."""

    title: str
    low: float
    high: float
    log: bool = False

    def place(self, value: float) -> float:
        """Position in [0, 1] of a value."""
        low, high, at = (math.log10(v) if self.log else v for v in (self.low, self.high, value))
        return 0.0 if high == low else (at - low) / (high - low)

    def ticks(self) -> list[float]:
        """Up to six round values, or the 1, 2 and 5 of each decade of a logarithmic axis."""
        if not self.log:
            return self._round()
        decades = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
        return [m * 10.0**d for d in decades for m in (1, 2, 5) if self.low <= m * 10.0**d <= self.high]

    def _round(self) -> list[float]:
        """Multiples of 1, 2 or 5 times a power of ten that lie on the axis."""
        span = self.high - self.low
        if span <= 0:
            return [self.low]
        least = span / _INTERVALS
        power = 10.0 ** math.floor(math.log10(least))
        step = next(m * power for m in (1, 2, 5, 10) if m * power >= least * (1 - 1e-9))
        first = math.ceil(self.low / step - 1e-9)
        last = math.floor(self.high / step + 1e-9)
        return [number * step for number in range(first, last + 1)]


def chart(lines: Sequence[Line], x: Axis, y: Axis) -> str:
    """A line chart, its legend below it where no line runs."""
    colours = [COLOURS[number % len(COLOURS)] for number in range(len(lines))]
    body = [_grid(x, y), *(_line(line, colour, x, y) for line, colour in zip(lines, colours, strict=True))]
    body += [_entry(number, line, colour) for number, (line, colour) in enumerate(zip(lines, colours, strict=True))]
    return _frame("".join(body), WIDTH, HEIGHT + _LEGEND_ROW * math.ceil(len(lines) / 2) + 4)


def heat_map(names: Sequence[str], table: Sequence[Sequence[float | None]]) -> str:
    """A square table of values in [0, 1] as shades, each with its number; ``None`` stays blank."""
    cell, margin = 34, 150
    cells = []
    for i, row in enumerate(table):
        cells.append(
            f'<text x="{margin - 6}" y="{i * cell + 22}" text-anchor="end">{html.escape(names[i][:22])}</text>'
        )
        cells.extend(_cell(margin + j * cell, i * cell, cell, value) for j, value in enumerate(row))
    size = cell * len(names)
    return _frame("".join(cells), margin + size + 4, size + 4)


def _cell(x: float, y: float, size: float, value: float | None) -> str:
    if value is None:
        return ""
    shade = min(max(value, 0.0), 1.0)
    ink = "#ffffff" if shade > 0.55 else "#111111"
    return (
        f'<rect x="{x}" y="{y}" width="{size - 1}" height="{size - 1}" fill="#1b6ca8" fill-opacity="{shade:.2f}"/>'
        f'<text x="{x + size / 2}" y="{y + 21}" text-anchor="middle" fill="{ink}">{value:.2f}</text>'
    )


def _spot(x: Axis, y: Axis, point: tuple[float, float]) -> tuple[float, float]:
    across = _LEFT + x.place(point[0]) * (WIDTH - _LEFT - _RIGHT)
    down = HEIGHT - _BOTTOM - y.place(point[1]) * (HEIGHT - _TOP - _BOTTOM)
    return across, down


def _line(line: Line, colour: str, x: Axis, y: Axis) -> str:
    spots = [_spot(x, y, point) for point in line.points]
    if line.dots:
        return "".join(f'<circle cx="{a:.1f}" cy="{b:.1f}" r="3.5" fill="{colour}"/>' for a, b in spots)
    path = " ".join(f"{a:.1f},{b:.1f}" for a, b in spots)
    dash = ' stroke-dasharray="5 4"' if line.dashed else ""
    return f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.8"{dash}/>'


def _entry(number: int, line: Line, colour: str) -> str:
    """One name of the legend, two to a row."""
    row, column = divmod(number, 2)
    across, down = _LEFT + column * _LEGEND_COLUMN, HEIGHT + _LEGEND_ROW * row + 8
    name = html.escape(line.name[:28])
    return (
        f'<rect x="{across}" y="{down - 7}" width="12" height="4" fill="{colour}"/>'
        f'<text x="{across + 18}" y="{down}" fill="{colour}">{name}</text>'
    )


def _grid(x: Axis, y: Axis) -> str:
    parts = []
    for value in y.ticks():
        _, down = _spot(x, y, (x.low, value))
        parts.append(f'<line x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{down:.1f}" y2="{down:.1f}" stroke="#e3e3e3"/>')
        parts.append(f'<text x="{_LEFT - 6}" y="{down + 4:.1f}" text-anchor="end">{_number(value)}</text>')
    for value in x.ticks():
        across, _ = _spot(x, y, (value, y.low))
        parts.append(f'<text x="{across:.1f}" y="{HEIGHT - _BOTTOM + 16}" text-anchor="middle">{_number(value)}</text>')
    centre = (HEIGHT - _BOTTOM) / 2
    parts.append(f'<text x="{WIDTH / 2}" y="{HEIGHT - 6}" text-anchor="middle">{html.escape(x.title)}</text>')
    turned = f'x="12" y="{centre}" text-anchor="middle" transform="rotate(-90 12 {centre})"'
    parts.append(f"<text {turned}>{html.escape(y.title)}</text>")
    return "".join(parts)


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1_000 else f"{value:.3g}"


def _frame(body: str, width: float, height: float) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'font-family="sans-serif" font-size="11" role="img">{body}</svg>'
    )
