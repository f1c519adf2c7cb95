"""Rows of an experiment as a drawing (SVG): one panel for each measured column, one line for each system."""

from collections.abc import Sequence
from html import escape
from typing import Any

WIDTH, HEIGHT, MARGIN = 640, 300, 60
COLOURS = ("#1b6ca8", "#c8553d", "#4f8a4c", "#7a5195")
NAMES = frozenset({"nodes", "p", "R", "virtual", "seeds", "parts"})
"""Columns that an experiment varies; of the others each gets a panel."""


def drawing(rows: Sequence[dict[str, Any]]) -> str:
    """The SVG of all rows; rows without a varied column give an empty drawing."""
    across = next((key for row in rows for key in row if key in NAMES), None)
    numbers = (key for row in rows for key, value in row.items() if not isinstance(value, str) and key not in NAMES)
    columns = list(dict.fromkeys(numbers))
    panels = (
        []
        if across is None
        else [_panel([row for row in rows if key in row], across, key, i) for i, key in enumerate(columns)]
    )
    height = max(1, len(panels)) * HEIGHT
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" font-family="sans-serif"'
        f' font-size="12"><rect width="{WIDTH}" height="{height}" fill="white"/>{"".join(panels)}</svg>\n'
    )


def _panel(rows: Sequence[dict[str, Any]], across: str, column: str, place: int) -> str:
    places = sorted({float(row[across]) for row in rows})
    highest = max(float(row[column]) for row in rows) or 1.0
    bottom, inner = HEIGHT - MARGIN / 1.5, HEIGHT - MARGIN * 1.2

    def x(value: float) -> float:
        return MARGIN + (WIDTH - 2 * MARGIN) * places.index(value) / max(1, len(places) - 1)

    def y(value: float) -> float:
        return bottom - inner * value / highest

    parts = [f'<path d="M{MARGIN} {bottom - inner:.1f}V{bottom:.1f}H{WIDTH - MARGIN}" fill="none" stroke="black"/>']
    parts += [f'<text x="{x(each):.1f}" y="{bottom + 16:.1f}" text-anchor="middle">{each:g}</text>' for each in places]
    parts.append(f'<text x="{MARGIN - 6}" y="{y(highest) + 4:.1f}" text-anchor="end">{highest:g}</text>')
    parts.append(f'<text x="{MARGIN - 6}" y="{bottom:.1f}" text-anchor="end">0</text>')
    parts.append(f'<text x="{MARGIN}" y="16">{escape(column)} against {escape(across)}</text>')
    for i, system in enumerate(dict.fromkeys(map(_line_of, rows))):
        points = [(float(row[across]), float(row[column])) for row in rows if _line_of(row) == system]
        line = " ".join(f"{x(a):.1f},{y(b):.1f}" for a, b in sorted(points))
        colour = COLOURS[i % len(COLOURS)]
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{x(a):.1f}" cy="{y(b):.1f}" r="3" fill="{colour}"/>' for a, b in points]
        parts.append(f'<text x="{WIDTH - MARGIN}" y="{16 + 14 * i}" text-anchor="end" fill="{colour}">{system}</text>')
    return f'<g transform="translate(0 {place * HEIGHT})">{"".join(parts)}</g>'


def _line_of(row: dict[str, Any]) -> str:
    """Which line a row belongs to: its words."""
    return " ".join(value for value in row.values() if isinstance(value, str))
