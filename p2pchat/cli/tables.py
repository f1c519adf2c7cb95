"""Rows as text tables that grow line by line; systems that were measured alike stand side by side."""

from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import Any, TypeAlias

Row: TypeAlias = dict[str, Any]

WIDTH = 10
"""Least characters of a column."""

SYSTEM = "system"
SYSTEMS = ("classic", "p2pchat")


def plain(rows: Iterable[Row]) -> Iterator[str]:
    """A line for each row as it comes, under a line of names whenever the columns are others than before."""
    names: tuple[str, ...] = ()
    for row in rows:
        if tuple(row) != names:
            names = tuple(row)
            yield _line(names)
        yield _line(map(_cell, row.values()))


def compared(rows: Iterable[Row], across: str, published: Callable[[Row], Row]) -> Iterator[str]:
    """A line for each value of the column `across`: in every other column the paper's figure and that of each system.

    A line is made as soon as it is whole, or when a row of another value comes.
    """
    together: dict[str, Row] = {}
    head = True
    for row in rows:
        if head:
            measures = [name for name in row if name not in (SYSTEM, across)]
            yield _line(chain([""], *([name, *[""] * len(SYSTEMS)] for name in measures)))
            yield _line([across, *(["paper", *SYSTEMS] * len(measures))])
            head = False
        if together and next(iter(together.values()))[across] != row[across]:
            yield _beside(together, across, published)
            together = {}
        together[row[SYSTEM]] = row
        if len(together) == len(SYSTEMS):
            yield _beside(together, across, published)
            together = {}
    if together:
        yield _beside(together, across, published)


def _beside(together: dict[str, Row], across: str, published: Callable[[Row], Row]) -> str:
    first = next(iter(together.values()))
    columns = [published(first), *(together.get(system, {}) for system in SYSTEMS)]
    measures = [name for name in first if name not in (SYSTEM, across)]
    return _line([_cell(first[across]), *(_cell(column.get(name, "")) for name in measures for column in columns)])


def _line(cells: Iterable[str]) -> str:
    return "  ".join(f"{cell:>{WIDTH}}" for cell in cells).rstrip()


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.3f}" if abs(value) < 10 else f"{value:.1f}"
    return str(value)
