"""`simulate paths`: mean hops of lookups in settled rings of 8 to 16,384 nodes.

Counted as in the paper: nodes asked after the origin, up to and including the predecessor of the key.  `classic` has
fingers and one successor; `p2pchat` has 16 successors, fingers and a node table of at most 10,000 nodes, and takes its
steps by the code that a node runs.
Source: Stoica et al., IEEE/ACM Trans. Networking 11(1), 2003, Fig. 10.
"""

import argparse
from collections.abc import Callable, Iterator
from hashlib import blake2b
from random import Random
from typing import Any

from p2pchat.chord.ring import SUCCESSORS
from p2pchat.chord.routing import next_step
from p2pchat.chord.table import MAX_NODES
from p2pchat.identifiers import Identifier, between, distance, to_bytes
from p2pchat.simulation.circle import Circle, mean, point
from p2pchat.simulation.report import seeds

SIZES = tuple(1 << k for k in range(3, 15))
LOOKUPS = 2_000
MAX_STEPS = 64


class Settled:
    """Steps of lookups in a ring where all tables are right."""

    def __init__(self, circle: Circle) -> None:
        self.circle = circle
        self._fingers: dict[Identifier, list[Identifier]] = {}
        self._known = MAX_NODES / max(len(circle), MAX_NODES)

    def fingers(self, node: Identifier) -> list[Identifier]:
        if node not in self._fingers:
            self._fingers[node] = self.circle.fingers(node)
        return self._fingers[node]

    def classic(self, node: Identifier, key: Identifier) -> Identifier | None:
        """The closest preceding finger; None: the node's successor owns the key."""
        reach = distance(node, key) or 1 << 256
        for finger in reversed(self.fingers(node)):
            if distance(node, finger) < reach:
                return finger
        return None

    def ours(self, node: Identifier, key: Identifier) -> Identifier | None:
        """The next hop of a p2pchat node; None: its successor owns the key."""
        successors = self.circle.successors(node, SUCCESSORS)
        others = [*self.fingers(node), *self._closest_known(node, key)]
        step = next_step(node, key, successors, others)
        return None if step.owned else step.nodes[0]

    def _closest_known(self, node: Identifier, key: Identifier) -> list[Identifier]:
        """The node table's closest entry before the key; in a big ring the table is a random part of all nodes."""
        candidate = self.circle.predecessor(key)
        while between(node, candidate, key):
            if self._known >= 1 or _draw(node, candidate) < self._known:
                return [candidate]
            candidate = self.circle.predecessor(candidate)
        return []


def _draw(node: Identifier, other: Identifier) -> float:
    """The same number from 0 to 1 for the same pair: whether one node's table happens to hold the other."""
    mixed = blake2b(to_bytes(node)[:16] + to_bytes(other)[:16], digest_size=8).digest()
    return int.from_bytes(mixed, "big") / 2**64


def path(origin: Identifier, key: Identifier, step: Callable[[Identifier, Identifier], Identifier | None]) -> int:
    """Hops from the origin to the key's predecessor."""
    node, hops = origin, 0
    while hops < MAX_STEPS:
        following = step(node, key)
        if following is None:
            return hops
        node, hops = following, hops + 1
    raise AssertionError("a lookup in a settled ring does not end")


def rows(options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """One row for each system and size; means over the seeds."""
    sizes = [options.nodes] if options.nodes else SIZES
    for part, size in enumerate(sizes):
        found: dict[str, list[float]] = {"classic": [], "p2pchat": []}
        for seed in seeds(options, part, len(sizes)):
            random = Random(f"paths {size} {seed}")
            settled = Settled(Circle.random(size, random))
            queries = [(random.choice(settled.circle.points), point(random)) for _ in range(options.lookups or LOOKUPS)]
            for system, step in (("classic", settled.classic), ("p2pchat", settled.ours)):
                found[system].append(mean(path(origin, key, step) for origin, key in queries))
        for system, means in found.items():
            yield {"system": system, "nodes": size, "path": mean(means)}
