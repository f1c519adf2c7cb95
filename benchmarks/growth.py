"""A node joins a ring with many accounts: who waits because of it, for how long, and when it has its copies.

python -m benchmarks.growth [--runs N] [--accounts N] [--writers N] [--json]

Three nodes hold prepared accounts, signed records of about 8 KB each.  A fourth node stands by; then a fifth joins, and
every slot grows from three members to five, the most that can move at once.  All nodes but the measuring one are
processes of their own on loopback.  Meanwhile writers change registers about twice a second each.
"""

import argparse
import statistics
from functools import partial
from typing import Any

from twisted.internet.task import deferLater

from benchmarks.everything import Everything
from benchmarks.rings import Figures, measure_in_turn, on_a_ring
from benchmarks.within import NODES, MeasuredRing
from benchmarks.writers import Writers
from p2pchat.cli import running

BEFORE_NODES = 3
BEFORE_SECONDS = 10.0
GROW_SECONDS = 300.0


def main() -> None:
    """Measure several rings, each of its own."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=1, help="rings to measure (1)")
    parser.add_argument("--accounts", type=int, default=10_000, help="prepared accounts (10,000)")
    parser.add_argument("--writers", type=int, default=100, help="registers that are changed meanwhile (100)")
    parser.add_argument("--json", action="store_true", help="one JSON object a ring")
    options = parser.parse_args()
    running.run(partial(measure_all, options))


async def measure_all(options: argparse.Namespace, reactor: Any) -> None:
    """Every ring, and the figures of all of them."""

    async def once(_: int) -> Figures:
        return await on_a_ring(reactor, lambda ring: measure(ring, options.accounts, options.writers), BEFORE_NODES)

    await measure_in_turn(options, once)


async def measure(ring: MeasuredRing, accounts: int, count: int) -> Figures:
    """One ring: prepare, let a node join, and watch until it is a member of every slot."""
    clock = ring.reactor
    began = clock.seconds()
    await Everything(ring, accounts, 0).create()
    filled = clock.seconds() - began
    await ring.world.add_node()
    writers = Writers(ring, count)
    await writers.start()
    await deferLater(clock, BEFORE_SECONDS)
    joins = clock.seconds()
    await ring.world.add_node()
    ready = clock.seconds()
    await ring.until(partial(ring.is_grown, NODES), "the slots do not grow", GROW_SECONDS)
    grown = clock.seconds()
    await writers.stop()
    before, during = writers.waits(joins - BEFORE_SECONDS, joins), writers.waits(joins, grown)
    return {
        "accounts": accounts,
        "prepared in, s": filled,
        "changes before": len(before),
        "change before, median, s": statistics.median(before),
        "change before, longest, s": max(before),
        "changes meanwhile": len(during),
        "change meanwhile, median, s": statistics.median(during),
        "change meanwhile, longest, s": max(during),
        "changes that failed": writers.failures(joins, grown),
        "ready after, s": ready - joins,
        "member of every slot after, s": grown - joins,
    }


if __name__ == "__main__":
    main()
