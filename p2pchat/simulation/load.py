"""`simulate load`: how evenly keys lie on nodes, as the 1st and 99th percentile of a node's share over the mean.

`classic` puts each key on its successor, with 1 to 20 virtual nodes each.  `p2pchat` has one position per node, chosen
by the admitter out of 64 draws, and keeps every slot on the first five nodes from the slot's end; counted are copies.
Source: Stoica et al., IEEE/ACM Trans. Networking 11(1), 2003, Fig. 8 and 9.
"""

import argparse
from bisect import bisect_left
from collections.abc import Iterator
from heapq import heappop, heappush
from random import Random
from typing import Any

from p2pchat.identifiers import CIRCLE, Identifier
from p2pchat.simulation.circle import Circle, mean, point
from p2pchat.simulation.report import seeds

NODES = 10_000
KEYS_PER_NODE = 100
VIRTUAL = (1, 2, 5, 10, 20)
DRAWS = 64
"""As of `crypto.authority`."""
REPLICAS = 5
SLOTS_PER_NODE = 8
"""Slots of a ring made for so many nodes, at least; the default of 1,024 is for rings up to about 100."""


def percentiles(loads: list[int]) -> tuple[float, float]:
    """1st and 99th percentile over the mean."""
    ordered, middle = sorted(loads), sum(loads) / len(loads)
    return ordered[len(ordered) // 100] / middle, ordered[len(ordered) * 99 // 100] / middle


def classic(nodes: int, virtual: int, random: Random) -> tuple[float, float]:
    """Keys on their successors; each node stands at `virtual` random points of a circle of length 1."""
    places = sorted((random.random(), node) for node in range(nodes) for _ in range(virtual))
    points, loads = [each for each, _ in places], [0] * nodes
    for _ in range(nodes * KEYS_PER_NODE):
        loads[places[bisect_left(points, random.random()) % len(places)][1]] += 1
    return percentiles(loads)


def admitted(nodes: int, random: Random) -> list[Identifier]:
    """Positions as an admitter draws them: of 64 the one nearest the middle of the widest arc."""
    first = point(random)
    taken = Circle([first])
    arcs = [(-CIRCLE, first)]  # widest first: (-width, start)
    while len(taken) < nodes:
        width, start = arcs[0]
        middle = (start - width // 2) % CIRCLE
        drawn = min((point(random) for _ in range(DRAWS)), key=lambda each: _away(each, middle))
        before, following = taken.predecessor(drawn), taken.owner(drawn)
        taken.add(drawn)
        heappush(arcs, (-((drawn - before) % CIRCLE), before))
        heappush(arcs, (-((following - drawn) % CIRCLE), drawn))
        _drop_stale(arcs, taken)
    return taken.points


def _away(each: int, middle: int) -> int:
    return min((each - middle) % CIRCLE, (middle - each) % CIRCLE)


def _drop_stale(arcs: list[tuple[int, Identifier]], taken: Circle) -> None:
    """Take arcs from the top of the heap that were cut meanwhile."""
    while len(taken) > 1:
        width, start = arcs[0]
        if (taken.successors(start, 1)[0] - start) % CIRCLE == -width:
            return
        heappop(arcs)


def ours(nodes: int, random: Random) -> tuple[float, float]:
    """Copies on the members of the keys' slots."""
    circle = Circle(admitted(nodes, random))
    slots = 1 << (nodes * SLOTS_PER_NODE - 1).bit_length()
    keys = [0] * slots
    for _ in range(nodes * KEYS_PER_NODE):
        keys[random.randrange(slots)] += 1
    loads, points = [0] * nodes, circle.points
    for slot, count in enumerate(keys):
        first = bisect_left(points, (slot + 1) * (CIRCLE // slots) % CIRCLE)
        for i in range(min(REPLICAS, nodes)):
            loads[(first + i) % nodes] += count
    return percentiles(loads)


def rows(options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """One row for each system and number of virtual nodes; means over the seeds."""
    nodes = options.nodes or NODES
    placements = [("classic", 1), ("p2pchat", 1), *(("classic", each) for each in VIRTUAL if each != 1)]
    for part, (system, virtual) in enumerate(placements):
        found = []
        for seed in seeds(options, part, len(placements)):
            random = Random(f"load {system} {virtual} {seed}")
            found.append(classic(nodes, virtual, random) if system == "classic" else ours(nodes, random))
        yield {
            "system": system,
            "virtual": virtual,
            "p1": mean(low for low, _ in found),
            "p99": mean(high for _, high in found),
        }
