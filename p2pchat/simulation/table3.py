"""`simulate table3`: lookups while nodes join and leave, each at rate R per second.

About 1,000 nodes; one lookup a second; every node stabilizes each 15 to 45 s and then refreshes its successor and one
finger (`classic`), or its whole list (`p2pchat`, which has no fingers to repair here: it has the node table).  A
message takes 50 ms on average, a silent node costs 500 ms.  A lookup fails when it ends at another node than the key's
owner.
Source: Stoica et al., IEEE/ACM Trans. Networking 11(1), 2003, Table III.
"""

import argparse
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

from p2pchat.chord.lookup import Way
from p2pchat.identifiers import Identifier
from p2pchat.simulation.churn import Classic, Ours, System, Timetable
from p2pchat.simulation.circle import Circle, mean, point
from p2pchat.simulation.report import seeds

NODES = 1_000
RATES = (0.05, 0.10, 0.15, 0.20, 0.25, 0.30, 0.35, 0.40)
LOOKUPS = 3_000
WARM_SECONDS = 300.0
TIMEOUT_SECONDS = 0.5
PER = 10_000


class Trial:
    """One run of one system."""

    def __init__(self, make: Callable[[Circle, Timetable], System], nodes: int, rate: float, random: Random) -> None:
        self.times, self._rate, self._random = Timetable(random), rate, random
        self.system = make(Circle.random(nodes, random), self.times)
        self.found: list[tuple[int, int, bool]] = []  # path, timeouts, failed
        for node in self.system.circle.points:
            self.times.after(random.uniform(0, 30), self._stabilize, node)
        if rate:
            self.times.after(random.expovariate(rate), self._join)
            self.times.after(random.expovariate(rate), self._leave)
        self.times.after(WARM_SECONDS, self._look)

    def run(self, lookups: int) -> list[tuple[int, int, bool]]:
        self.times.run(lambda: len(self.found) >= lookups)
        return self.found

    def _stabilize(self, node: Identifier) -> None:
        if self.system.alive(node):
            self.system.stabilize(node)
            self.times.after(self._random.uniform(15, 45), self._stabilize, node)

    def _join(self) -> None:
        node = point(self._random)
        self.system.join(node)
        if self.system.alive(node):
            self.times.after(self._random.uniform(15, 45), self._stabilize, node)
        self.times.after(self._random.expovariate(self._rate), self._join)

    def _leave(self) -> None:
        self.system.leave(self._random.choice(self.system.circle.points))
        self.times.after(self._random.expovariate(self._rate), self._leave)

    def _look(self) -> None:
        origin, key = self._random.choice(self.system.circle.points), point(self._random)
        self._go_on(Way(key, [origin]), set())
        self.times.after(self._random.expovariate(1.0), self._look)

    def _go_on(self, way: Way, asked: set[Identifier]) -> None:
        """Send the next question; its answer arrives two messages later, or never."""
        node = way.next()
        if node is None:
            self._end(way, asked)
        elif self.system.alive(node):
            seconds = self.times.delay() + self.times.delay() if asked else 0.0
            self.times.after(seconds, self._answered, way, asked, node)
        else:
            self.times.after(TIMEOUT_SECONDS, self._missed, way, asked, node)

    def _answered(self, way: Way, asked: set[Identifier], node: Identifier) -> None:
        if self.system.alive(node):
            asked.add(node)
            way.answered(node, self.system.step(node, way.point, set(way.silent)))
        else:
            way.missed(node)
        owner = way.found[1].nodes[:1] if way.found is not None else ()
        if way.found is not None and owner and not self.system.alive(owner[0]):
            # The owner that was named is silent: its predecessor is asked again, without it.
            way.reopen(owner[0])
            self.times.after(TIMEOUT_SECONDS, self._go_on, way, asked)
            return
        self._go_on(way, asked)

    def _missed(self, way: Way, asked: set[Identifier], node: Identifier) -> None:
        way.missed(node)
        self._go_on(way, asked)

    def _end(self, way: Way, asked: set[Identifier]) -> None:
        owner = way.found[1].nodes[:1] if way.found is not None else ()
        failed = tuple(owner) != (self.system.circle.owner(way.point),)
        self.found.append((len(asked) - 1, len(way.silent), failed))


def rows(options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """One row for each system and rate; means over the seeds; failures per 10,000 lookups."""
    systems: tuple[tuple[str, Callable[[Circle, Timetable], System]], ...] = (("classic", Classic), ("p2pchat", Ours))
    rates = options.rates or RATES
    for number, rate in enumerate(rates):
        for which, (name, make) in enumerate(systems):
            part, parts = number * len(systems) + which, len(rates) * len(systems)
            found: list[tuple[int, int, bool]] = []
            for seed in seeds(options, part, parts):
                trial = Trial(make, options.nodes or NODES, rate, Random(f"table3 {name} {rate} {seed}"))
                found += trial.run(options.lookups or LOOKUPS)
            yield {
                "system": name,
                "R": rate,
                "path": mean(path for path, _, _ in found),
                "timeouts": mean(timeouts for _, timeouts, _ in found),
                "failures": mean(PER * failed for _, _, failed in found),
            }
