"""`simulate churn`: real ring services whose nodes come and go, and a ring of which half dies at once.

`churn`: each node stays for an exponentially distributed time and then leaves in order, or dies without a word, by
halves; another, unknown one joins in its place at once.  `bytes` are those of AMP boxes that a node sends in a second
while nobody looks anything up.  `half`: half of the nodes die without a word; `seconds` until the ring is ideal.

A lookup asks a random member for the owner of a random point, as a caller would: if the owner that it is told is dead,
it asks again, up to five times, a second apart.  It `failed` if no answer came, or if it named another node than the
owner at its beginning or its end.
"""

import argparse
from collections.abc import Iterator
from random import Random
from typing import Any

from twisted.internet.task import deferLater

from p2pchat.chord.status import Found, NodeState
from p2pchat.errors import LookupFailed
from p2pchat.identifiers import Identifier
from p2pchat.simulation.circle import mean, point
from p2pchat.simulation.mesh import Mesh, Node
from p2pchat.simulation.papers import Papers
from p2pchat.simulation.report import LoggedFailures, seeds
from p2pchat.simulation.traffic import Traffic

NODES = 100
STAYS_SECONDS = 3_600.0
LOOKUPS = 200
LOOKUP_SECONDS = 0.2
"""Between two lookups."""
WARM_SECONDS, MEASURED_SECONDS = 30.0, 60.0
"""Before bytes are counted, and while they are."""
TRIES, AGAIN_SECONDS = 5, 1.0
MOST_SECONDS = 120.0
"""How long half a ring may take to be ideal."""


class Lookups:
    """Lookups by members of a mesh, and what came of them."""

    def __init__(self, mesh: Mesh, chance: Random) -> None:
        self._mesh, self._chance = mesh, chance
        self.hops: list[int] = []
        self.failed = self.begun = self.ended = 0

    def begin(self) -> None:
        """One lookup by a random member."""
        self.begun += 1
        asker = self._member_from(point(self._chance))
        self._mesh.begin(self._look(asker, point(self._chance)))

    async def _look(self, node: Node, key: Identifier) -> None:
        right = self._owners(key)
        for _ in range(TRIES):
            if not node.host.alive:
                break  # nobody is left who would want to know
            try:
                found = await node.service.find_owner(key)
            except LookupFailed:
                await deferLater(self._mesh.clock, AGAIN_SECONDS)
                continue
            if self._mesh.network.is_up(found.owner):
                self._end(found, right | self._owners(key))
                return
            node.service.link_lost(found.owner)
            await deferLater(self._mesh.clock, AGAIN_SECONDS)
        self.ended += 1
        self.failed += node.host.alive

    def _end(self, found: Found, right: set[Identifier]) -> None:
        self.ended += 1
        self.hops.append(len(found.hops))
        self.failed += found.owner not in right

    def _owners(self, key: Identifier) -> set[Identifier]:
        """The owner among all that run, and among those that have joined."""
        return {self._mesh.circle.owner(key), self._member_from(key).identifier}

    def _member_from(self, key: Identifier) -> Node:
        """The first node at a point or behind it that has joined."""
        following = self._mesh.circle.owner(key)
        while self._mesh.by[following].service.state is not NodeState.READY:
            following = self._mesh.circle.owner(Identifier(following + 1))
        return self._mesh.by[following]


class Turnover:
    """A mesh of always as many nodes."""

    def __init__(self, papers: Papers, seed: int, nodes: int, stays: float) -> None:
        self.mesh = Mesh(papers, nodes, f"turnover {seed}", coded=False)
        self.traffic = self.mesh.network.traffic = Traffic()
        self.mesh.build(range(1, nodes + 1))
        self._chance, self._stays, self._newest = Random(f"turnover {seed}"), stays, nodes
        self.changes = 0
        for number in list(self.mesh.nodes):
            self._stay(number)

    def _stay(self, number: int) -> None:
        seconds = self._chance.expovariate(1 / self._stays)
        self.mesh.clock.at(self.mesh.clock.seconds() + seconds, self._end, number)

    def _end(self, number: int) -> None:
        self.changes += 2
        node = self.mesh.nodes[number]
        if self._chance.random() < 0.5:
            leaving = node.service.leave()
            self.mesh.begin(leaving).addCallback(lambda _: self.mesh.kill(number))
        else:
            self.mesh.kill(number, noticed=False)
        self._newest += 1
        known = self._chance.sample(sorted(self.mesh.at), min(3, len(self.mesh.at)))
        self.mesh.start(self._newest, seeds=known)
        self._stay(self._newest)

    def measure(
        self, warm: float = WARM_SECONDS, seconds: float = MEASURED_SECONDS
    ) -> tuple[dict[str, float], dict[str, float]]:
        """Payload and bytes on the wire that a node sends in a second, by command, while nobody looks anything up."""
        mesh, traffic = self.mesh, self.traffic
        mesh.clock.advance(warm)
        traffic.restart(mesh.clock.seconds())
        mesh.clock.advance(seconds)
        traffic.settle(mesh.clock.seconds(), set(mesh.by))
        share = 1 / seconds / len(mesh.nodes)
        payload = {command: sent * share for command, sent in traffic.payload.most_common()}
        return payload, {command: sent * share for command, sent in traffic.wire.most_common()}

    def run(self, lookups: int) -> dict[str, Any]:
        """The row of this run."""
        mesh, network = self.mesh, self.mesh.network
        payload, wire = self.measure()
        looks = Lookups(mesh, self._chance)
        for _ in range(lookups):
            looks.begin()
            mesh.clock.advance(LOOKUP_SECONDS)
        mesh.clock.run_while(lambda: looks.ended < looks.begun, MOST_SECONDS)
        mesh.stop()
        wrong = len(network.failures) + looks.begun - looks.ended
        sent = {"bytes": sum(payload.values()), "wire": sum(wire.values())}
        return {"changes": self.changes, **sent, "hops": mean(looks.hops), "failed": looks.failed + wrong}


def half(papers: Papers, seed: int, nodes: int, lookups: int) -> dict[str, Any]:
    """The row of a ring of which half dies at once, with lookups from that moment on."""
    mesh, chance = Mesh(papers, nodes, f"half {seed}", coded=False), Random(f"half {seed}")
    mesh.build(range(1, nodes + 1))
    mesh.clock.advance(chance.uniform(1.0, 10.0))
    for number in chance.sample(sorted(mesh.nodes), nodes // 2):
        mesh.kill(number, noticed=False)
    looks, began = Lookups(mesh, chance), mesh.clock.seconds()
    ideal: float | None = None
    while looks.begun < lookups or (ideal is None and mesh.clock.seconds() - began < MOST_SECONDS):
        if looks.begun < lookups:
            looks.begin()
        mesh.clock.advance(LOOKUP_SECONDS)
        if ideal is None and mesh.ideal():
            ideal = mesh.clock.seconds() - began
    mesh.clock.run_while(lambda: looks.ended < looks.begun, MOST_SECONDS)
    mesh.stop()
    wrong = len(mesh.network.failures) + looks.begun - looks.ended + (ideal is None)
    return {"seconds": ideal or MOST_SECONDS, "hops": mean(looks.hops), "failed": looks.failed + wrong}


def rows(options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """One row for nodes that come and go, one for half of them dying; means over the seeds, sums of failed lookups."""
    nodes, lookups, papers = options.nodes or NODES, options.lookups or LOOKUPS, Papers("turnover")
    kinds = ("churn", "half")
    for part, what in enumerate(kinds):
        with LoggedFailures() as logged:
            found = []
            for seed in seeds(options, part, len(kinds)):
                if what == "churn":
                    found.append(Turnover(papers, seed, nodes, STAYS_SECONDS).run(lookups))
                else:
                    found.append(half(papers, seed, nodes, lookups))
            wrong = len(logged.taken())
        means = {key: mean(row[key] for row in found) for key in found[0] if key != "failed"}
        failed = sum(row["failed"] for row in found) + wrong
        yield {"system": what, "nodes": nodes, "lookups": lookups * options.seeds, **means, "failed": failed}
