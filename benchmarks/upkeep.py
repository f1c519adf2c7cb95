"""What the upkeep of a ring costs: payload and bytes on the wire that a node sends in a second, by command.

python -m benchmarks.upkeep [--nodes N] [--stays S] [--warm S] [--seconds S] [--json]
"""

import argparse
import json
import time

from p2pchat.simulation.papers import Papers
from p2pchat.simulation.turnover import Turnover


def main() -> None:
    """Let nodes come and go for a while, and count."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--nodes", type=int, default=1_000, help="nodes of the ring (1000)")
    parser.add_argument("--stays", type=float, default=3_600.0, help="seconds that a node stays on average (3600)")
    parser.add_argument("--warm", type=float, default=120.0, help="virtual seconds before counting (120)")
    parser.add_argument("--seconds", type=float, default=120.0, help="virtual seconds of counting (120)")
    parser.add_argument("--json", action="store_true", help="one JSON object for each command, and one for all")
    options = parser.parse_args()
    began = time.process_time()
    run = Turnover(Papers("upkeep"), 1, options.nodes, options.stays)
    payload, wire = run.measure(options.warm, options.seconds)
    traffic, share = run.traffic, 1 / options.seconds / options.nodes
    if options.json:
        for command in wire:
            row = {"payload, B/s a node": payload.get(command, 0.0), "wire, B/s a node": wire[command]}
            print(json.dumps({"command": command, **row}), flush=True)
        print(json.dumps({"command": "in all", "payload, B/s a node": sum(payload.values()), "changes": run.changes}))
        run.mesh.stop()
        return
    print(f"{'bytes a second and node':<24} {'payload':>9} {'wire':>9} {'calls':>9} {'links':>9}")
    for command in sorted({**wire, **payload}, key=lambda each: -wire.get(each, 0.0)):
        calls = traffic.messages[command] * share
        sent = f"{payload.get(command, 0.0):9.1f} {wire.get(command, 0.0):9.1f}"
        print(f"{command:<24} {sent} {calls:9.3f} {traffic.opened[command] * share:9.4f}")
    print(f"{'in all':<24} {sum(payload.values()):9.1f} {sum(wire.values()):9.1f}")
    links = 2 * traffic.links / options.nodes
    print(f"{run.changes} changes; {links:.1f} links open at a node in the end")
    live = run.mesh.identifiers()
    exact = sum(node.service.live() == live for node in run.mesh.nodes.values())
    print(f"ideal: {run.mesh.ideal()}; {exact} of {options.nodes} node tables exact")
    run.mesh.stop()
    print(f"{time.process_time() - began:.1f} s of processor time")


if __name__ == "__main__":
    main()
