"""A ring of many real services in one process: seconds to build it, to look up, and to live; memory.

python -m benchmarks.big_ring [--nodes N] [--lookups N] [--table N] [--seconds S] [--half] [--json]
"""

import argparse
import json
import resource
import time
from random import Random

from p2pchat.chord.table import MAX_NODES
from p2pchat.simulation.mesh import Mesh
from p2pchat.simulation.papers import Papers
from p2pchat.simulation.turnover import Lookups, half

AT_ONCE = 100
"""Lookups that begin in one moment of virtual time."""

MOST_IN_HALF = 500
"""Lookups while half of the nodes are dead; five begin in a virtual second."""


def main() -> None:
    """Build one ring, look up, and let virtual time pass."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--nodes", type=int, default=1_000, help="nodes of the ring (1000)")
    parser.add_argument("--lookups", type=int, default=10_000, help="lookups (10000)")
    parser.add_argument("--table", type=int, default=MAX_NODES, help=f"nodes that a node table holds ({MAX_NODES})")
    parser.add_argument("--seconds", type=float, default=0.0, help="virtual seconds to live after that (0)")
    parser.add_argument("--half", action="store_true", help="instead: half of the nodes die at once, lookups go on")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    options = parser.parse_args()
    began = time.process_time()
    if options.half:
        row = half(Papers("half"), 1, options.nodes, min(options.lookups, MOST_IN_HALF))
        say("half died", began, options.json, **row)
        return
    mesh = Mesh(Papers("big"), options.nodes, "big", most=options.table, coded=False)
    mesh.build(range(1, options.nodes + 1))
    say("built", began, options.json)
    looks = Lookups(mesh, Random("big"))
    while looks.begun < options.lookups:
        for _ in range(min(AT_ONCE, options.lookups - looks.begun)):
            looks.begin()
        while looks.ended < looks.begun:
            mesh.clock.step()
    mean = sum(looks.hops) / max(1, len(looks.hops))
    say("looked up", began, options.json, lookups=looks.ended, failed=looks.failed, hops=mean)
    if options.seconds:
        mesh.clock.advance(options.seconds)
        say("lived", began, options.json, virtual_s=options.seconds, ideal=mesh.ideal())


def say(step: str, began: float, as_json: bool, **figures: float) -> None:
    """A line with processor seconds since the beginning, and memory."""
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    row = {"step": step, **figures, "cpu_s": time.process_time() - began, "memory_MiB": memory}
    if as_json:
        print(json.dumps(row), flush=True)
    else:
        print("   ".join(f"{name} {value:.4g}" if name != "step" else f"{value:<10}" for name, value in row.items()))


if __name__ == "__main__":
    main()
