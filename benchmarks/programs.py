"""The benchmarks by name, what makes each a quick one, and how they run as processes of their own."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class Program:
    """One benchmark: a module of this folder that has `main` and takes `--json`."""

    name: str
    quick: tuple[str, ...]
    """Options with which it only shows that it runs."""
    processes: bool = False
    """Whether it starts a ring of processes, which takes a minute even when it is quick."""


PROGRAMS = (
    Program("link", ("--seconds", "0.2", "--rounds", "1")),
    Program("sealing", ("--messages", "50")),
    Program("history", ("--messages", "2000")),
    Program("screen", ("--messages", "2000")),
    Program("missing", ("--records", "200", "--runs", "1")),
    Program("big_ring", ("--nodes", "60", "--lookups", "200")),
    Program("upkeep", ("--nodes", "40", "--warm", "10", "--seconds", "10")),
    Program("chat", ("--seconds", "0.5", "--rounds", "1"), processes=True),
    Program("records", ("--seconds", "0.5"), processes=True),
    Program("mail", ("--seconds", "0.5", "--messages", "50", "--rounds", "1"), processes=True),
    Program("login", ("--logins", "2"), processes=True),
    Program("crowd", ("--agents", "2,20", "--seconds", "5"), processes=True),
    Program("availability", ("--runs", "1", "--accounts", "10"), processes=True),
    Program("startup", ("--runs", "1"), processes=True),
    Program("presence", ("--runs", "1"), processes=True),
    Program("growth", ("--runs", "1", "--accounts", "20", "--writers", "5"), processes=True),
    Program("handover", ("--messages", "50", "--kills", "1", "--kill-messages", "50"), processes=True),
    Program("restart", ("--runs", "1", "--accounts", "20", "--messages", "2"), processes=True),
    Program("races", ("--loops", "2"), processes=True),
    Program("forming", ("--runs", "1", "--nodes", "3"), processes=True),
    Program("spine", ("--runs", "1", "--settle", "1", "--rest", "1"), processes=True),
)
PARTS = (
    "costs",
    "everything",
    "installed",
    "lxmf_direct",
    "people",
    "programs",
    "prosody",
    "report",
    "rings",
    "visitors",
    "within",
    "writers",
)
"""Modules that the benchmarks share."""


@dataclass(frozen=True, slots=True)
class Row:
    """One figure; all benchmarks tell theirs in this shape."""

    benchmark: str
    case: str
    """What was done, by whom and how widely, as far as the benchmark has several."""
    figure: str
    """What was measured; its unit is its last word."""
    value: float

    def line(self) -> str:
        """As JSON."""
        return json.dumps(asdict(self))


def rows_of(benchmark: str, told: dict[str, Any], case: str = "") -> Iterator[Row]:
    """The figures of one JSON object: its numbers, its texts (and `w`, calls under way) naming the case."""
    words = [case] if case else []
    words += [f"w {value}" if key == "w" else str(value) for key, value in told.items() if _names(key, value)]
    case = ", ".join(words)
    for key, value in told.items():
        if isinstance(value, dict):
            yield from rows_of(benchmark, value, f"{case}, {key}" if case else key)
        elif not _names(key, value) and isinstance(value, int | float):
            yield Row(benchmark, case, key, float(value))


def _names(key: str, value: Any) -> bool:
    return key == "w" or isinstance(value, str)


class Failed(Exception):
    """A benchmark ended with an error; its text says which and why."""


def run(program: Program, options: list[str]) -> list[Row]:
    """Run one benchmark to its end.

    Raises:
        Failed: with the last line that it wrote to standard error.
    """
    command = [sys.executable, "-m", f"benchmarks.{program.name}", "--json", *options]
    began = time.monotonic()
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["it said nothing"]
        raise Failed(f"benchmarks.{program.name} ended with status {done.returncode}: {lines[-1]}")
    told = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    rows = [row for each in told for row in rows_of(program.name, each)]
    if not rows:
        raise Failed(f"benchmarks.{program.name} told no figure")
    return [*rows, Row(program.name, "the whole benchmark", "s", time.monotonic() - began)]
