"""`p2pchat simulate …`: the simulator's experiments, their options, and rows that are printed as they come."""

import argparse
import importlib
import importlib.util
import json
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from p2pchat.cli import tables
from p2pchat.simulation import published

Commands = Any
"""What `add_subparsers` returns; argparse keeps its type to itself."""

MAX_SEEDS = 10_000_000
PICTURES = (".png", ".svg", ".pdf")
BAR = "{percentage:3.0f} % |{bar}| {elapsed} gone, about {remaining} left"
"""Drawn on standard error, and only in a terminal."""


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
    across: str = ""
    """The column in whose rows classic Chord and p2pchat stand beside the paper; empty if they do not."""


FURTHER = ("nodes", "rates", "lookups", "plot")
EXPERIMENTS = (
    Experiment("names", "names", "names under faults, checked for linearizability", 1_500, ("violations", "lost")),
    Experiment("mail", "mail", "mailboxes under faults, checked for lost mail", 1_400, ("violations", "lost")),
    Experiment("chat", "chat", "whole agents and nodes under faults: every message once", 25, ("violations", "lost")),
    Experiment("cuts", "cuts", "whole agents on both sides of a long cut", 15, ("violations", "lost")),
    Experiment(
        "sessions", "logins", "logins and mail keys under faults, checked as both", 1_200, ("violations", "lost")
    ),
    Experiment("machines", "machines", "bare state machines, in any order", 200_000, ("violations", "lost")),
    Experiment(
        "paths", "paths", "hops of lookups by size of the ring", 10, takes=("nodes", "lookups", "plot"), across="nodes"
    ),
    Experiment("table2", "table2", "lookups after many nodes failed at once", 10, takes=FURTHER, across="p"),
    Experiment("table3", "table3", "lookups while nodes join and leave", 1, takes=FURTHER, across="R"),
    Experiment("ring", "ring", "random events on small rings", 250, ("violations", "unhealed"), ("nodes", "plot")),
    Experiment("partitions", "partitions", "rings that were cut apart", 10, ("unhealed",), ("nodes", "plot")),
    Experiment("latency", "latency", "how long lookups take", 5, takes=("nodes", "lookups", "plot")),
    Experiment("churn", "turnover", "nodes that come and go", 2, ("failed",), ("nodes", "lookups", "plot")),
    Experiment("load", "load", "how evenly keys lie on nodes", 2, takes=("nodes", "plot"), across="virtual"),
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
        parser.add_argument(
            "--plot", metavar="FILE", help="also draw the rows into this file (.png, .svg or .pdf; needs matplotlib)"
        )


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
    """Print the rows; 1 if one reports something that must not happen, or if no picture can be drawn."""
    experiment = next(each for each in EXPERIMENTS if each.name == options.experiment)
    file = Path(options.plot) if getattr(options, "plot", None) else None
    if file is not None and (why := cannot_draw(file)):
        print(f"p2pchat simulate: {why}", file=sys.stderr)
        return 1
    make_rows: Callable[[argparse.Namespace], Iterable[dict[str, Any]]] = importlib.import_module(
        f"p2pchat.simulation.{experiment.module}"
    ).rows
    tqdm = importlib.import_module("tqdm").tqdm
    shown: list[dict[str, Any]] = []
    with tqdm(total=1.0, disable=None, leave=False, bar_format=BAR) as bar:
        options.progress = lambda share: bar.update(share - bar.n)
        for line in lines(experiment, kept(make_rows(options), shown), options.json):
            tqdm.write(line)
            sys.stdout.flush()
    if file is not None:
        across = experiment.across
        beside = [{across: row[across], **published.beside(experiment.name, row)} for row in shown if across]
        try:
            importlib.import_module("p2pchat.simulation.plot").draw(shown, file, beside)
        except OSError as error:
            print(f"p2pchat simulate: the picture cannot be written: {error}; name another FILE.", file=sys.stderr)
            return 1
    return 1 if any(row.get(column) for row in shown for column in experiment.wrong) else 0


def cannot_draw(file: Path) -> str:
    """Why no picture can be drawn into this file; empty if one can."""
    if importlib.util.find_spec("matplotlib") is None:
        return "--plot needs matplotlib: pip install 'p2pchat[plot]'"
    if file.suffix not in PICTURES:
        return f"--plot {file}: the name of a picture ends in {', '.join(PICTURES)}"
    if not file.absolute().parent.is_dir():
        return f"--plot {file}: there is no folder {file.absolute().parent}; make it first"
    return ""


def kept(rows: Iterable[dict[str, Any]], shown: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The rows as they come, each put into `shown` as well."""
    for row in rows:
        shown.append(row)
        yield row


def lines(experiment: Experiment, rows: Iterable[dict[str, Any]], as_json: bool) -> Iterator[str]:
    """What is printed of the rows."""
    if as_json:
        return map(json.dumps, rows)
    if not experiment.across:
        return tables.plain(rows)
    return tables.compared(rows, experiment.across, lambda row: published.beside(experiment.name, row))
