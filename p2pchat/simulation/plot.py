"""Rows of an experiment as a picture: one panel for each measured column, one line for each system."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import ScalarFormatter

PANEL_INCHES = (7.0, 3.0)
DOTS_PER_INCH = 120
MARKS = "os^Dv"
"""Lines differ by mark as well as by colour."""

LEAST_HEIGHT = 0.1
"""Where the axis of a column of zeros ends."""

VARIED = ("nodes", "p", "R", "virtual", "parts", "seeds")
"""Columns that an experiment varies, the telling one first; of the others each gets a panel."""

PUBLISHED = "paper"


def draw(rows: Sequence[dict[str, Any]], file: Path, published: Sequence[dict[str, Any]] = ()) -> None:
    """Write the picture in the format that the file's suffix names (.png, .svg, .pdf).

    Raises: ValueError for a suffix that names no format; OSError as from writing a file.
    """
    picture(rows, published).savefig(file)


def picture(rows: Sequence[dict[str, Any]], published: Sequence[dict[str, Any]]) -> Figure:
    """The picture; `published` are the papers' rows, a dashed line in each panel whose column they have."""
    across = next((key for key in VARIED if len({row[key] for row in rows if key in row}) > 1), "")
    across = across or next((key for key in VARIED if any(key in row for row in rows)), "")
    numbers = (key for row in rows for key, value in row.items() if not isinstance(value, str) and key not in VARIED)
    columns = list(dict.fromkeys(numbers))
    width, height = PANEL_INCHES
    figure = Figure(figsize=(width, height * max(1, len(columns))), dpi=DOTS_PER_INCH, layout="constrained")
    for place, column in enumerate(columns, start=1):
        axes = figure.add_subplot(len(columns), 1, place)
        axes.set_title(f"{column} against {across}", fontsize="medium", loc="left")
        if across == "nodes":
            axes.set_xscale("log", base=2)
            axes.xaxis.set_major_formatter(ScalarFormatter())
        for system, mark in zip(dict.fromkeys(map(_line_of, rows)), MARKS * len(rows), strict=False):
            _line(axes, [row for row in rows if _line_of(row) == system], across, column, f"{mark}-", system)
        _line(axes, published, across, column, "k--", PUBLISHED)
        axes.set_ylim(0, max(axes.get_ylim()[1], LEAST_HEIGHT))
        if axes.get_lines():
            axes.legend(fontsize="small")
    return figure


def _line(axes: Any, rows: Sequence[dict[str, Any]], across: str, column: str, style: str, label: str) -> None:
    points = sorted((row[across], row[column]) for row in rows if across in row and column in row)
    if points:
        axes.plot(*zip(*points, strict=True), style, label=label)


def _line_of(row: dict[str, Any]) -> str:
    """Which line a row belongs to: its words."""
    return " ".join(value for value in row.values() if isinstance(value, str))
