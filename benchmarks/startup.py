"""How long programs take to start: the command line, a node until it is ready, an agent until it takes commands.

python -m benchmarks.startup [--runs N] [--json]

On a ring of three nodes on loopback; wall time and processor time of each program, medians.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from functools import partial
from typing import Any

from benchmarks.costs import cpu_ms
from benchmarks.installed import compile_modules
from p2pchat.cli import running
from p2pchat.cli.demo_world import World

NODES = 3
COMMANDS = {"p2pchat --help": ["--help"], "p2pchat --version": ["--version"]}


def command_line(words: list[str]) -> dict[str, float]:
    """One command that needs no agent."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    command = [sys.executable, "-c", "import sys; from p2pchat.cli.main import main; sys.exit(main())", *words]
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True, env=os.environ)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"ms": 1000 * (time.perf_counter() - began), "cpu, ms": 1000 * cpu}


async def node(world: World) -> dict[str, float]:
    """One more node, until it says that it is ready."""
    began = time.perf_counter()
    program = await world.add_node()
    return {"ms": 1000 * (time.perf_counter() - began), "cpu, ms": cpu_ms(program.process.pid)}


async def agent(world: World, number: int) -> dict[str, float]:
    """One more agent, until its control socket answers."""
    began = time.perf_counter()
    link = await world.start_agent(f"person{number}", [each.ready[3] for each in world.nodes])
    taken = 1000 * (time.perf_counter() - began)
    link.close()
    return {"ms": taken, "cpu, ms": cpu_ms(world.agents[f"person{number}"].process.pid)}


async def measure_all(options: argparse.Namespace, reactor: Any) -> None:
    """Each so often; medians."""
    compile_modules()

    def tell(case: str, rows: list[dict[str, float]]) -> None:
        figures = {name: statistics.median(row[name] for row in rows) for name in rows[0]}
        line = "   ".join(f"{name} {value:.0f}" for name, value in figures.items())
        print(json.dumps({"case": case, **figures}) if options.json else f"{case:<20} {line}", flush=True)

    for case, words in COMMANDS.items():
        tell(case, [command_line(words) for _ in range(options.runs)])
    world = World(reactor)
    try:
        world.create_ring()
        await world.start_nodes(NODES)
        tell("node", [await node(world) for _ in range(options.runs)])
        tell("agent", [await agent(world, number) for number in range(options.runs)])
    finally:
        world.close()


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5, help="of each (5)")
    parser.add_argument("--json", action="store_true", help="one JSON object a row")
    options = parser.parse_args()
    running.run(partial(measure_all, options))


if __name__ == "__main__":
    main()
