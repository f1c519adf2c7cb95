"""`simulate latency`: how long lookups take on networks with given delays, by classic Chord and by p2pchat.

A lookup is iterative: the origin asks one node after the other and waits for each, the last question goes to the owner.
Delays of a message one way: `even` is 50 ms between any two nodes; `exponential` is drawn for each pair with a mean of
50 ms; `plane` puts nodes at random on a square whose diagonal takes 100 ms, and adds 5 ms.  `median` and `p90` are in
milliseconds; `stretch` is the median of a lookup's time over one round trip from origin to owner.
Source: Stoica et al., IEEE/ACM Trans. Networking 11(1), 2003, section V-F and Table IV (there 2**16 nodes; without
choice by proximity classic Chord has a median stretch of 7.2 to 7.8).
"""

import argparse
from collections.abc import Callable, Iterator
from hashlib import blake2b
from math import hypot, log
from random import Random
from statistics import median, quantiles
from typing import Any, TypeAlias

from p2pchat.identifiers import Identifier, to_bytes
from p2pchat.simulation.circle import Circle, point
from p2pchat.simulation.paths import MAX_STEPS, Settled
from p2pchat.simulation.report import seeds

NODES = 1_000
LOOKUPS = 2_000
MEAN_MS = 50.0
DIAGONAL_MS, LEAST_MS = 100.0, 5.0

Delay: TypeAlias = Callable[[Identifier, Identifier], float]
"""Milliseconds that a message takes from one node to another; the same both ways."""
Timing: TypeAlias = tuple[float, float]
"""Milliseconds of a lookup, and of one round trip to the owner."""


def even(one: Identifier, other: Identifier) -> float:
    """All nodes are equally far apart."""
    return MEAN_MS


def exponential(one: Identifier, other: Identifier) -> float:
    """Each pair has a delay of its own."""
    return -MEAN_MS * log(1.0 - _draw(min(one, other), max(one, other)))


def plane(one: Identifier, other: Identifier) -> float:
    """Nodes have places, and delays are distances."""
    across, down = (_draw(one, salt) - _draw(other, salt) for salt in (Identifier(1), Identifier(2)))
    return LEAST_MS + DIAGONAL_MS * hypot(across, down) / hypot(1.0, 1.0)


DELAYS: dict[str, Delay] = {"even": even, "exponential": exponential, "plane": plane}


def _draw(one: Identifier, other: Identifier) -> float:
    """The same number, 0 <= number < 1, for the same pair."""
    mixed = blake2b(to_bytes(one) + to_bytes(other), digest_size=6).digest()
    return int.from_bytes(mixed, "big") / 2**48


def asked(origin: Identifier, key: Identifier, settled: Settled, system: str) -> list[Identifier]:
    """The nodes that a lookup asks, the owner last; the origin's own answers take no time."""
    step = settled.classic if system == "classic" else settled.ours
    node, nodes = origin, list[Identifier]()
    while (following := step(node, key)) is not None:
        nodes.append(following)
        node = following
        if len(nodes) > MAX_STEPS:
            raise AssertionError("a lookup in a settled ring does not end")
    owner = settled.circle.owner(key)
    return nodes if owner == origin or owner in nodes[-1:] else [*nodes, owner]


def times(settled: Settled, delay: Delay, system: str, queries: list[tuple[Identifier, Identifier]]) -> list[Timing]:
    """For each query its milliseconds, and those of one round trip to the owner; own keys are left out."""
    found = []
    for origin, key in queries:
        if settled.circle.owner(key) != origin:
            trips = [2 * delay(origin, node) for node in asked(origin, key, settled, system)]
            found.append((sum(trips), trips[-1]))
    return found


def rows(options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """One row for each system and kind of delays, over the lookups of all seeds."""
    nodes = options.nodes or NODES
    for part, (name, delay) in enumerate(DELAYS.items()):
        found: dict[str, list[Timing]] = {"classic": [], "p2pchat": []}
        for seed in seeds(options, part, len(DELAYS)):
            random = Random(f"latency {nodes} {seed}")
            settled = Settled(Circle.random(nodes, random))
            queries = [(random.choice(settled.circle.points), point(random)) for _ in range(options.lookups or LOOKUPS)]
            for system, timings in found.items():
                timings += times(settled, delay, system, queries)
        for system, timings in found.items():
            taken = [milliseconds for milliseconds, _ in timings]
            yield {
                "system": system,
                "delays": name,
                "nodes": nodes,
                "median": round(median(taken), 1),
                "p90": round(quantiles(taken, n=10)[-1], 1),
                "stretch": round(median(milliseconds / trip for milliseconds, trip in timings), 2),
            }
