"""`p2pchat simulate …`: the simulator's experiments, their options, and rows that are printed as they come."""

import argparse
import importlib
import json
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Commands = Any
"""What `add_subparsers` returns; argparse keeps its type to itself."""

MAX_SEEDS = 10_000_000


@dataclass(frozen=True, slots=True)
class Experiment:
    """One subcommand: `module` of p2pchat.simulation has the function `rows(options) -> Iterable[dict]`.

    `wrong` names the columns that must be 0 in every row that has them, or else the command exits with 1.
    """

    name: str
    module: str
    text: str
    seeds: int
    wrong: tuple[str, ...] = ()
    takes: tuple[str, ...] = ()
    """Which of the further options it has."""


FURTHER = ("nodes", "rates", "lookups", "plot")
EXPERIMENTS = (
    Experiment("names", "names", "names under faults, checked for linearizability", 8_000, ("violations", "lost")),
    Experiment("mail", "mail", "mailboxes under faults, checked for lost mail", 8_000, ("violations", "lost")),
    Experiment("paths", "paths", "hops of lookups by size of the ring", 10, takes=("nodes", "lookups", "plot")),
    Experiment("table2", "table2", "lookups after many nodes failed at once", 10, takes=FURTHER),
    Experiment("table3", "table3", "lookups while nodes join and leave", 1, takes=FURTHER),
    Experiment("ring", "ring", "random events on small rings", 250, ("violations", "unhealed"), ("nodes", "plot")),
    Experiment("partitions", "partitions", "rings that were cut apart", 10, ("unhealed",), ("nodes", "plot")),
    Experiment("latency", "latency", "how long lookups take", 5, takes=("nodes", "lookups", "plot")),
    Experiment("churn", "turnover", "nodes that come and go", 2, ("failed",), ("nodes", "lookups", "plot")),
    Experiment("load", "load", "how evenly keys lie on nodes", 2, takes=("nodes", "plot")),
)


def add_commands(commands: Commands) -> None:
    """Add `simulate` with one subcommand for each experiment."""
    simulate: argparse.ArgumentParser = commands.add_parser(
        "simulate", help="run the simulator", description="Experiments on simulated rings; needs no agent."
    )
    simulate.set_defaults(target="simulate:usage", experiment="")
    group = simulate.add_subparsers(title="experiments", metavar="EXPERIMENT", dest="experiment")
    for experiment in EXPERIMENTS:
        parser = group.add_parser(experiment.name, help=experiment.text, description=experiment.text)
        parser.set_defaults(target="simulate:run")
        parser.add_argument("--seeds", type=positive, metavar="N", default=experiment.seeds, help="runs to make")
        parser.add_argument("--seed", type=positive, metavar="S", default=1, help="seed of the first run (1)")
        add_further(parser, experiment.takes)


def add_further(parser: argparse.ArgumentParser, takes: tuple[str, ...]) -> None:
    """Add the options that only some experiments have."""
    if "nodes" in takes:
        parser.add_argument("--nodes", type=positive, metavar="N", help="nodes of the ring (as in the paper)")
    if "rates" in takes:
        parser.add_argument("--rates", type=rates, metavar="R,R", help="fractions or rates per second, by commas")
    if "lookups" in takes:
        parser.add_argument("--lookups", type=positive, metavar="N", help="lookups of each run")
    if "plot" in takes:
        parser.add_argument("--plot", metavar="FILE", help="also draw the rows into this file (SVG)")


def rates(text: str) -> list[float]:
    """Numbers from 0 to 1, separated by commas."""
    try:
        found = [float(each) for each in text.split(",")]
    except ValueError:
        found = [-1.0]
    if not all(0 <= each < 1 for each in found):
        raise argparse.ArgumentTypeError(f"{text!r} is no list of numbers from 0 to below 1, such as 0.05,0.1")
    return found


def positive(text: str) -> int:
    """A whole number from 1 on."""
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= MAX_SEEDS):
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 1 to {MAX_SEEDS}")
    return int(text)


def usage(options: argparse.Namespace) -> int:
    """Only `p2pchat simulate` was typed."""
    names = ", ".join(experiment.name for experiment in EXPERIMENTS)
    print(f"p2pchat simulate: an EXPERIMENT is missing: {names}", file=sys.stderr)
    return 2


def run(options: argparse.Namespace) -> int:
    """Print the rows; 1 if one reports something that must not happen."""
    experiment = next(each for each in EXPERIMENTS if each.name == options.experiment)
    make_rows: Callable[[argparse.Namespace], Iterable[dict[str, Any]]] = importlib.import_module(
        f"p2pchat.simulation.{experiment.module}"
    ).rows
    shown: list[dict[str, Any]] = []
    for row in make_rows(options):
        print(json.dumps(row) if options.json else "  ".join(f"{key} {value}" for key, value in row.items()))
        sys.stdout.flush()
        shown.append(row)
    if getattr(options, "plot", None):
        drawing: str = importlib.import_module("p2pchat.simulation.plot").drawing(shown)
        Path(options.plot).write_text(drawing)
    return 1 if any(row.get(column) for row in shown for column in experiment.wrong) else 0
