"""Drawing with braille: two by four dots in each cell of the terminal, in layers of one colour each."""

import math
from collections.abc import Iterator

ACROSS, DOWN = 2, 4
"""Dots in a cell."""

_BLANK = 0x2800
_BITS = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))
"""By column and row within the cell."""


class Drawing:
    """Dots on so many cells; where two layers meet in a cell, the later one's colour is taken."""

    def __init__(self, columns: int, rows: int) -> None:
        self._columns, self._rows = columns, rows
        self._dots = [[0] * columns for _ in range(rows)]
        self._attributes = [[""] * columns for _ in range(rows)]

    def dot(self, x: float, y: float, attribute: str) -> None:
        """One dot; outside of the drawing nothing happens."""
        across, down = round(x), round(y)
        column, row = across // ACROSS, down // DOWN
        if 0 <= column < self._columns and 0 <= row < self._rows:
            self._dots[row][column] |= _BITS[across % ACROSS][down % DOWN]
            self._attributes[row][column] = attribute

    def line(self, start: tuple[float, float], end: tuple[float, float], attribute: str, gap: int = 1) -> None:
        """A straight line; of a `gap` of 2 every second dot."""
        length = max(abs(end[0] - start[0]), abs(end[1] - start[1]), 1)
        for step in range(0, int(length) + 1, gap):
            part = step / length
            self.dot(start[0] + part * (end[0] - start[0]), start[1] + part * (end[1] - start[1]), attribute)

    def cells(self) -> Iterator[list[tuple[str, str]]]:
        """Rows of (attribute, character); a blank where no dot is."""
        for dots, attributes in zip(self._dots, self._attributes, strict=True):
            yield [
                (attribute, chr(_BLANK + bits)) if bits else ("", " ")
                for bits, attribute in zip(dots, attributes, strict=True)
            ]


class Round:
    """A circle in dots, or an ellipse that is nearly one; places run clockwise from the top, 0 <= place < 1."""

    def __init__(self, columns: int, rows: int, side: int, stretch: float) -> None:
        """As large as fits into so many cells with `side` columns free at both sides.

        Args:
            stretch: how much higher than wide it may be, 1 for a circle.
        """
        self.middle = (ACROSS * columns - 1) / 2, (DOWN * rows - 1) / 2
        high = max(DOWN * (rows - 2) / 2, 1.0)
        self.across = max(min(ACROSS * (columns / 2 - side), high), 1.0)
        self.down = min(high, self.across * stretch)

    def at(self, place: float, out: float = 0.0) -> tuple[float, float]:
        """The dot of a place, `out` dots outside of the line."""
        angle = 2 * math.pi * place
        return (
            self.middle[0] + (self.across + out) * math.sin(angle),
            self.middle[1] - (self.down + out) * math.cos(angle),
        )

    def cell(self, place: float) -> tuple[int, int]:
        """The column and row of a place."""
        x, y = self.at(place)
        return round(x) // ACROSS, round(y) // DOWN

    def arc(self, drawing: Drawing, start: float, length: float, attribute: str, out: float = 0.0) -> None:
        """Draw clockwise from a place on, over a part of the circle (1 is all of it)."""
        steps = max(int(length * 2 * math.pi * (max(self.across, self.down) + abs(out)) * 1.2), 1)
        for step in range(steps + 1):
            drawing.dot(*self.at(start + length * step / steps, out), attribute)
