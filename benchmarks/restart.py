"""All nodes of a ring of five are killed at once and started again: how long until everything is there.

python -m benchmarks.restart [--runs N] [--accounts N] [--messages N] [--json]

All five are processes of their own on loopback.  A sixth node in the measuring process writes accounts and mail,
hands over what it has and leaves; a new one reads everything afterwards.  The nodes come back with other ports.
"""

import argparse
import json
import statistics
from functools import partial
from typing import Any

from benchmarks.everything import Everything
from benchmarks.within import NODES, MeasuredRing
from p2pchat.cli import running


def main() -> None:
    """Measure several rings, each of its own."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=3, help="rings to measure (3)")
    parser.add_argument("--accounts", type=int, default=1_000, help="prepared accounts (1,000)")
    parser.add_argument("--messages", type=int, default=10, help="prepared messages for each account (10)")
    parser.add_argument("--json", action="store_true", help="one JSON object a ring")
    options = parser.parse_args()
    running.run(partial(measure_all, options))


async def measure_all(options: argparse.Namespace, reactor: Any) -> None:
    """Every ring, and the figures of all of them."""
    rows = []
    for _ in range(options.runs):
        ring = MeasuredRing(reactor, NODES + 1)
        try:
            await ring.start()
            rows.append(await measure(ring, options.accounts, options.messages))
        finally:
            await ring.close()
        if options.json:
            print(json.dumps(rows[-1]), flush=True)
    for name in rows[0]:
        values = [row[name] for row in rows]
        print(f"{name:<40} {statistics.median(values):8.2f}   {min(values):.2f} .. {max(values):.2f}")


async def measure(ring: MeasuredRing, accounts: int, messages: int) -> dict[str, float]:
    """One power cut."""
    clock, world = ring.reactor, ring.world
    everything = Everything(ring, accounts, messages)
    await everything.create()
    await ring.leave()
    nodes = list(world.nodes)
    world.kill(*nodes)
    began = clock.seconds()
    await world.start_again(nodes)
    ready = clock.seconds() - began
    await ring.run_within("reader")
    missing = await everything.missing()
    return {
        "accounts": accounts,
        "messages": accounts * messages,
        "all five ready after, s": ready,
        "everything read after, s": clock.seconds() - began,
        "records missing": missing,
    }


if __name__ == "__main__":
    main()
