"""All nodes of a ring of five are killed at once and started again: how long until everything is there.

python -m benchmarks.restart [--runs N] [--accounts N] [--messages N] [--json]

All five are processes of their own on loopback.  A sixth node in the measuring process writes accounts and mail,
hands over what it has and leaves; a new one reads everything afterwards.  The nodes come back with other ports.
"""

import argparse
from functools import partial
from typing import Any

from benchmarks.everything import Everything
from benchmarks.rings import Figures, measure_in_turn, on_a_ring
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

    async def once(_: int) -> Figures:
        return await on_a_ring(reactor, lambda ring: measure(ring, options.accounts, options.messages), NODES + 1)

    await measure_in_turn(options, once)


async def measure(ring: MeasuredRing, accounts: int, messages: int) -> Figures:
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
