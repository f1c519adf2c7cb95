"""`simulate table2`: lookups right after a fraction p of all nodes failed at once, before any stabilization.

Counted as in the paper: `path` is live nodes asked after the origin, up to and including the predecessor of the key;
`timeouts` is distinct dead nodes asked.  `classic` has 20 successors and fingers.  `p2pchat` has 16, fingers and a node
table in which the dead still count as live; its steps are those that a node runs.  `failed` is per 10,000 lookups.
Source: Stoica et al., IEEE/ACM Trans. Networking 11(1), 2003, Table II.
"""

import argparse
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

from p2pchat.chord.lookup import Way
from p2pchat.chord.ring import SUCCESSORS
from p2pchat.chord.routing import ALTERNATIVES, Step, closest_before, next_step
from p2pchat.identifiers import Identifier, between, distance
from p2pchat.simulation.circle import Circle, mean, point
from p2pchat.simulation.report import seeds

NODES = 1_000
LIST = 20
LOOKUPS = 2_000
FRACTIONS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5)
PER = 10_000

Outcome = tuple[int, int, bool]
"""Path, timeouts, failed."""


class Stricken:
    """A ring whose tables are those of the time before the failures."""

    def __init__(self, nodes: int, share: float, random: Random) -> None:
        self.circle = Circle.random(nodes, random)
        dead = random.sample(self.circle.points, round(nodes * share))
        self.dead = frozenset(dead)
        self.live = Circle(node for node in self.circle.points if node not in self.dead)
        self._entries: dict[Identifier, list[Identifier]] = {}

    def entries(self, node: Identifier) -> list[Identifier]:
        """Fingers and successors of a classic node."""
        if node not in self._entries:
            known = {*self.circle.successors(node, LIST), *self.circle.fingers(node)}
            self._entries[node] = sorted(known, key=lambda each: distance(node, each))
        return self._entries[node]

    def classic(self, origin: Identifier, key: Identifier) -> Outcome:
        """Ask the closest preceding entry, again and again; who has none that lives precedes the key."""
        node, path, timeouts = origin, 0, set[Identifier]()
        while True:
            following = None
            for each in reversed(self.entries(node)):
                if each == key or not between(node, each, key) or each in timeouts:
                    continue
                if each not in self.dead:
                    following = each
                    break
                timeouts.add(each)
            if following is None:
                break
            node, path = following, path + 1
        owner = next((each for each in self.entries(node) if each not in self.dead), None)
        return path, len(timeouts), owner != self.live.owner(key)

    def ours(self, origin: Identifier, key: Identifier) -> Outcome:
        """A walk of `chord.lookup` without its network; it must end at the live predecessor of the key."""
        way, live = Way(key, [origin]), set[Identifier]()
        while (node := way.next()) is not None:
            if node in self.dead:
                way.missed(node)
            else:
                live.add(node)
                way.answered(node, self._step(node, key, set(way.silent)))
        failed = way.found is None or way.found[0] != self.live.predecessor(key)
        return len(live) - 1, len(way.silent), failed

    def _step(self, node: Identifier, key: Identifier, without: set[Identifier]) -> Step:
        """What a node answers that takes all for live but those that the question excludes."""
        successors = [each for each in self.circle.successors(node, SUCCESSORS) if each not in without]
        table = closest_before(self.circle.points, key, ALTERNATIVES + len(without))
        return next_step(node, key, successors, [each for each in table if each not in without])


def rows(options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """One row for each system and fraction; means over the seeds."""
    systems: dict[str, Callable[[Stricken, Identifier, Identifier], Outcome]] = {
        "classic": Stricken.classic,
        "p2pchat": Stricken.ours,
    }
    shares = options.rates or FRACTIONS
    for part, share in enumerate(shares):
        outcomes: dict[str, list[Outcome]] = {system: [] for system in systems}
        for seed in seeds(options, part, len(shares)):
            random = Random(f"table2 {share} {seed}")
            ring = Stricken(options.nodes or NODES, share, random)
            queries = [(random.choice(ring.live.points), point(random)) for _ in range(options.lookups or LOOKUPS)]
            for system, look in systems.items():
                outcomes[system].extend(look(ring, origin, key) for origin, key in queries)
        for system, found in outcomes.items():
            yield {
                "system": system,
                "p": share,
                "path": mean(path for path, _, _ in found),
                "timeouts": mean(timeouts for _, timeouts, _ in found),
                "failed": mean(PER * failed for _, _, failed in found),
            }
