"""Real node processes on loopback: seconds until they are one ring, and the hops of a lookup in it.

python -m benchmarks.forming [--nodes N] [--runs N] [--json]
"""

import argparse
import json
import statistics
from typing import Any

from benchmarks.installed import compile_modules
from benchmarks.spine import whole
from p2pchat.cli import running
from p2pchat.cli.demo_world import World
from p2pchat.cli.ring_watch import open_admin
from p2pchat.server import commands as server
from p2pchat.wire.connection import call

NODES = 20
TRACED = 20
"""Names that are looked up once the ring stands."""
ASK_SECONDS = 30.0


def main() -> None:
    """Form several rings, one after the other."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--nodes", type=int, default=NODES, help=f"processes of a ring ({NODES})")
    parser.add_argument("--runs", type=int, default=3, help="rings to form (3)")
    parser.add_argument("--json", action="store_true", help="one JSON object a ring")
    options = parser.parse_args()

    compile_modules()

    async def act(reactor: Any) -> None:
        rings = []
        for number in range(1, options.runs + 1):
            world = World(reactor)
            try:
                rings.append(await measure(world, options.nodes))
            finally:
                world.close()
            started, formed, hops = rings[-1]
            if options.json:
                row = {"nodes": options.nodes, "all ready, s": started, "one ring, s": formed, "hops of a lookup": hops}
                print(json.dumps(row), flush=True)
                continue
            print(f"ring {number}: all ready {started:.1f} s, one ring {formed:.1f} s, hops {hops:.2f}", flush=True)
        if options.json:
            return
        print(f"median of {len(rings)}: one ring {statistics.median(formed for _, formed, _ in rings):.1f} s")

    running.run(act)


async def measure(world: World, count: int) -> tuple[float, float, float]:
    """Seconds until all nodes are ready and until they are one ring, from the first start; mean hops of a trace."""
    world.create_ring()
    began = world.reactor.seconds()
    await world.start_nodes(count)
    started = world.reactor.seconds() - began
    await world.until(lambda: whole(world, count), "the ring does not form")
    formed = world.reactor.seconds() - began
    admin = await open_admin(world.reactor, world.nodes[-1].folder)
    hops = []
    for number in range(TRACED):
        traced = await call(admin, world.reactor, server.AskTrace, timeout=ASK_SECONDS, target=f"name{number}")
        hops.append(len(traced["hops"]))
    admin.close()
    return started, formed, statistics.mean(hops)


if __name__ == "__main__":
    main()
