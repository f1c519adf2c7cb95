"""Nodes with the real ring service on a simulated network: they form rings, die, come back, and are cut apart."""

from collections.abc import Callable, Coroutine, Iterable, Sequence
from random import Random
from typing import Any

from twisted.internet.defer import Deferred

from p2pchat.chord.locator import ChordLocator
from p2pchat.chord.ring import SUCCESSORS, Founded
from p2pchat.chord.service import ChordService
from p2pchat.chord.status import NodeState
from p2pchat.chord.table import MAX_NODES, NodeTable
from p2pchat.crypto.noderecord import NodeRecord
from p2pchat.errors import TryElsewhere
from p2pchat.identifiers import Address, Identifier
from p2pchat.simulation.circle import Circle
from p2pchat.simulation.clock import HeapClock, NodeClock
from p2pchat.simulation.invariants import Place
from p2pchat.simulation.network import Host, Network
from p2pchat.simulation.papers import Papers, address

STEP_SECONDS = 0.05
"""Between two looks whether all agree."""
MAX_SEEDS = 8
"""Addresses that a node which starts is given."""


class RingService(ChordService):
    """The service, which can also begin in the midst of a settled ring, and shows its place at any moment."""

    def settle(self, records: Iterable[NodeRecord], predecessor: Identifier, successors: Iterable[Identifier]) -> None:
        """Be a member with these neighbours that takes all of these nodes for live."""
        now = self._clock.seconds()
        for record in records:
            self.table.learn(record, now, NodeState.READY, proven=True)
        self._ring.receive(Founded())
        self._ring.predecessor, self._ring.successors = predecessor, tuple(successors)
        self._become_ready()

    def place(self) -> Place:
        """What we believe of our neighbours, also while we ask."""
        return Place.of(self._ring)


class Node:
    """One life of a node."""

    def __init__(self, mesh: "Mesh", number: int, record: NodeRecord, founder: bool, kept: bytes) -> None:
        self.mesh, self.number, self.record = mesh, number, record
        self.identifier = record.identifier
        self.clock = NodeClock(mesh.clock)
        self.host = Host(self.identifier, lambda caller: [ChordLocator(self.service, caller)])
        table = NodeTable(mesh.papers.verify, mesh.most)
        table.load(kept, mesh.clock.seconds())
        chance = Random(f"{mesh.seed} {number} {record.sequence}")
        call = mesh.network.call_from(self.host)
        self.service = RingService(record, table, call, self.greet, self.clock, chance, founder, mesh.length)

    async def greet(self, where: Address) -> NodeRecord:
        """As the dialer does: both learn each other's record."""
        other = self.mesh.at.get(where)
        if other is None or not self.mesh.network.hears(self.identifier, other.identifier):
            raise TryElsewhere(f"Nobody answers at {where}.")
        other.service.met(self.record)
        return other.record


class Mesh:
    """Nodes 1, 2, … of one ring.

    Args:
        count: nodes that there may be; who starts is told addresses of some of the others.
        length: r, entries of successor lists; most: nodes that a table holds.
        coded: whether every value is encoded and decoded on its way (slower).

    Attributes:
        nodes: those that run, by number; at: by ring address; by: by identifier.
    """

    def __init__(
        self,
        papers: Papers,
        count: int,
        seed: object = 1,
        length: int = SUCCESSORS,
        most: int = MAX_NODES,
        coded: bool = True,
    ) -> None:
        self.papers, self.count, self.seed, self.length, self.most = papers, count, seed, length, most
        self.clock = HeapClock()
        self.chance = Random(f"mesh {seed}")
        self.network = Network(self.clock, Random(f"network {seed}"), coded)
        self.nodes: dict[int, Node] = {}
        self.at: dict[Address, Node] = {}
        self.by: dict[Identifier, Node] = {}
        self._circle: Circle | None = None

    def start(
        self,
        number: int,
        founder: bool = False,
        kept: bytes = b"",
        sequence: int = 1,
        place: int | None = None,
        seeds: Iterable[Address] | None = None,
    ) -> Node:
        """Start a node and let it join through addresses of this ring.

        Args:
            kept: the node table of an earlier life; sequence, place: of its record.
        """
        node = self._place(number, self.papers.record(number, sequence, place), founder, kept)
        others = [each for each in range(1, self.count + 1) if each != number]
        known = self.chance.sample(others, min(MAX_SEEDS, len(others))) if self.count > MAX_SEEDS else others
        self.begin(node.service.join(map(address, known) if seeds is None else seeds))
        return node

    def _place(self, number: int, record: NodeRecord, founder: bool = False, kept: bytes = b"") -> Node:
        node = Node(self, number, record, founder, kept)
        self.nodes[number] = self.at[record.ring_address] = self.by[node.identifier] = node
        self._circle = None
        self.network.attach(node.host)
        node.service.startService()
        return node

    def begin(self, work: Coroutine[Any, Any, Any]) -> "Deferred[Any]":
        """Let something run that only the end of its node can end; other errors show in `network.failures`."""
        return Deferred.fromCoroutine(work).addErrback(self.network.failures.append)

    def build(self, numbers: Sequence[int]) -> None:
        """Start these nodes as a ring that has settled: everybody knows everybody, as far as its table goes."""
        placed = [self._place(number, self.papers.record(number)) for number in numbers]
        records = {node.identifier: node.record for node in placed}
        order = sorted(records)
        for node in placed:
            i = order.index(node.identifier)
            around = order[i + 1 :] + order[:i]
            near = [*around[: self.length], *around[-1:]]
            known = around if len(around) < self.most else [*near, *self.chance.sample(around, self.most)]
            known = list(dict.fromkeys(known))[: self.most - 1]
            node.service.settle([records[each] for each in known], around[-1], around[: self.length])

    def kill(self, number: int, noticed: bool = True) -> Identifier:
        """A node dies; `noticed`: the others' connections to it break at once."""
        node = self.nodes.pop(number)
        del self.at[node.record.ring_address], self.by[node.identifier]
        self._circle = None
        self.network.detach(node.identifier)
        node.clock.stop()
        if noticed:
            for other in self.nodes.values():
                other.service.link_lost(node.identifier)
        return node.identifier

    @property
    def circle(self) -> Circle:
        """The nodes that run."""
        if self._circle is None:
            self._circle = Circle(self.by)
        return self._circle

    def identifiers(self) -> list[Identifier]:
        return list(self.circle.points)

    def ideal(self) -> bool:
        """Every node has the right neighbours."""
        order = self.identifiers()
        places = {node: i for i, node in enumerate(order)}
        most = min(self.length, len(order) - 1)
        for node in self.nodes.values():
            i = places[node.identifier]
            before = order[i - 1] if len(order) > 1 else None
            view = node.service.place()
            if view.predecessor != before or len(view.successors) != most or view.padding:
                return False
            if any(view.successors[k] != order[(i + k + 1) % len(order)] for k in range(most)):
                return False
        return True

    def agreed(self) -> bool:
        """The ring is ideal, and every node believes exactly the running ones live."""
        order = self.identifiers()
        return self.ideal() and all(node.service.live() == order for node in self.nodes.values())

    def seconds_until(self, holds: Callable[[], bool], most: float) -> float | None:
        """Virtual seconds until something holds; None if it does not within `most`."""
        began = self.clock.seconds()
        while not holds():
            if self.clock.seconds() - began >= most:
                return None
            self.clock.advance(STEP_SECONDS)
        return self.clock.seconds() - began

    def stop(self) -> None:
        for number in list(self.nodes):
            self.nodes[number].service.stopService()
            self.kill(number, noticed=False)
