"""A drawing of cost against the number of cameras, as SVG.

matplotlib is an extra of the notebooks, so the few lines and marks are written here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

PANEL_W, PANEL_H, MARGIN_X, MARGIN_Y = 300, 220, 62, 46
"""Size of a panel's plot, and the space around it, px."""
STYLES = (("#0072B2", ""), ("#D55E00", "6 3"), ("#009E73", "2 3"), ("#CC79A7", "8 3 2 3"), ("#000000", "1 2"))
"""Colour (Okabe and Ito 2008) and dashes of the lines, in turn, so that colour alone says nothing."""


@dataclass(frozen=True)
class Panel:
    """A panel: lines of values against the number of cameras.

    Attributes:
        title: with the unit of the values.
        lines: by workload, (cameras, value).
    """

    title: str
    lines: Mapping[str, Sequence[tuple[int, float]]]


def draw(title: str, panels: Sequence[Panel]) -> str:
    """The panels side by side as an SVG document."""
    step = PANEL_W + 2 * MARGIN_X
    width, height = step * len(panels), PANEL_H + 2 * MARGIN_Y + 40
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="12">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
        f'<text x="{MARGIN_X}" y="20" font-size="15">{escape(title)}</text>',
    ]
    for number, panel in enumerate(panels):
        parts += _panel(panel, number * step + MARGIN_X, MARGIN_Y + 10)
    names = list(dict.fromkeys(name for panel in panels for name in panel.lines))
    for number, name in enumerate(names):
        x, y = MARGIN_X + number * 130, height - 12
        colour, dashes = STYLES[number % len(STYLES)]
        parts.append(_line([(x, y - 4), (x + 28, y - 4)], colour, dashes))
        parts.append(f'<text x="{x + 34}" y="{y}">{escape(name)}</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def _panel(panel: Panel, left: float, top: float) -> list[str]:
    points = [point for line in panel.lines.values() for point in line]
    most_x = max(cameras for cameras, _ in points)
    most_y = _ceiling(max(value for _, value in points))

    def place(cameras: float, value: float) -> tuple[float, float]:
        return left + PANEL_W * cameras / most_x, top + PANEL_H * (1 - value / most_y)

    parts = [f'<text x="{left}" y="{top - 8}">{escape(panel.title)}</text>']
    for share in range(5):
        value = most_y * share / 4
        x, y = place(0, value)
        parts.append(f'<line x1="{x:.1f}" y1="{y:.1f}" x2="{x + PANEL_W:.1f}" y2="{y:.1f}" stroke="#ddd"/>')
        parts.append(f'<text x="{x - 6:.1f}" y="{y + 4:.1f}" text-anchor="end">{value:.4g}</text>')
    for cameras in sorted({cameras for cameras, _ in points}):
        x, y = place(cameras, 0)
        parts.append(f'<text x="{x:.1f}" y="{y + 16:.1f}" text-anchor="middle">{cameras}</text>')
    parts.append(
        f'<text x="{left + PANEL_W / 2}" y="{top + PANEL_H + 32}" text-anchor="middle">cameras</text>'
    )
    for number, line in enumerate(panel.lines.values()):
        colour, dashes = STYLES[number % len(STYLES)]
        drawn = [place(*point) for point in line]
        parts.append(_line(drawn, colour, dashes))
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in drawn]
    return parts


def _line(points: Sequence[tuple[float, float]], colour: str, dashes: str) -> str:
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    pen = f'stroke="{colour}" stroke-width="2" stroke-dasharray="{dashes}"'
    return f'<polyline points="{path}" fill="none" {pen}/>'


def _ceiling(value: float) -> float:
    """The least of 1, 2, 4, 5, 8 times a power of ten that is not below a value."""
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(n * power for n in (1, 2, 4, 5, 8, 10) if n * power >= value * (1 - 1e-9))
