"""Makes a page of what `python -m benchmarks … --json FILE` has written: a table for each benchmark, and its picture.

python -m benchmarks.report FILE [--plot FOLDER]
"""

import argparse
import json
from collections.abc import Iterable
from pathlib import Path

from benchmarks.programs import Row

MAX_BARS = 40
"""Figures in one picture; a table has all."""


def main(arguments: list[str] | None = None) -> None:
    """Print Markdown; with --plot, write one PNG for each benchmark as well."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.report", description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path, help="figures, one JSON object a line")
    parser.add_argument("--plot", type=Path, metavar="FOLDER", help="for pictures; needs matplotlib (extra `plot`)")
    options = parser.parse_args(arguments)
    rows = [Row(**json.loads(line)) for line in options.file.read_text("utf-8").splitlines()]
    for benchmark in dict.fromkeys(row.benchmark for row in rows):
        own = [row for row in rows if row.benchmark == benchmark]
        print("\n".join(table(benchmark, own)))
        if options.plot is not None:
            picture(benchmark, own, options.plot)


def table(benchmark: str, rows: Iterable[Row]) -> list[str]:
    """One benchmark's figures as Markdown: a line for each case, a column for each figure."""
    rows = list(rows)
    figures = list(dict.fromkeys(row.figure for row in rows))
    values = {(row.case, row.figure): f"{row.value:.4g}" for row in rows}
    lines = [f"## {benchmark}", "", "| | " + " | ".join(figures) + " |", "|---" * (len(figures) + 1) + "|"]
    for case in dict.fromkeys(row.case for row in rows):
        lines.append(f"| {case} | " + " | ".join(values.get((case, figure), "") for figure in figures) + " |")
    return [*lines, ""]


def picture(benchmark: str, rows: list[Row], folder: Path) -> Path:
    """A bar for each figure, on a logarithmic scale; the file that was written."""
    from matplotlib.figure import Figure

    shown = [row for row in rows if row.value > 0][:MAX_BARS]
    page = Figure(figsize=(9, 1 + 0.25 * len(shown)), layout="constrained")
    axes = page.subplots()
    axes.barh([f"{row.case}: {row.figure}" if row.case else row.figure for row in shown], [row.value for row in shown])
    axes.set_xscale("log")
    axes.invert_yaxis()
    axes.set_title(benchmark)
    axes.tick_params(labelsize=7)
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{benchmark}.png"
    page.savefig(file, dpi=100)
    return file


if __name__ == "__main__":
    main()
