"""A ring of nodes in memory for tests: real services over either store, a virtual clock, exact liveness."""

from collections.abc import Coroutine
from pathlib import Path
from random import Random
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from p2pchat.identifiers import CIRCLE, Identifier, distance
from p2pchat.replication.formats import Formats
from p2pchat.replication.locator import ReplicationLocator
from p2pchat.replication.service import ReplicationService
from p2pchat.replication.settings import Settings
from p2pchat.replication.storage import SqliteStore
from p2pchat.replication.store import Disk
from p2pchat.replication.writer import InlineDisk
from p2pchat.simulation.clock import HeapClock, NodeClock
from p2pchat.simulation.disk import MemoryDisk, MemoryStore
from p2pchat.simulation.network import Host, Network

T = TypeVar("T")
BEGIN = 1_700_000_000.0
COMPARE_SECONDS = 2.0
"""Sooner than in a real ring, so that a comparison of everything takes seconds and not minutes."""


class Node:
    """One node; its store outlives `crash`."""

    def __init__(self, ring: "Ring", number: int) -> None:
        self.ring, self.number = ring, number
        self.identifier = Identifier((2 * number + 1) * CIRCLE // 20)
        self.store: Any = (
            MemoryStore(ring.slots)
            if ring.in_memory
            else SqliteStore(Path(":memory:"), self.identifier, create=True, slots=ring.slots)
        )
        self.service: ReplicationService
        self.host: Host | None = None

    def start(self) -> None:
        """Run the node."""
        ring, random = self.ring, Random(self.number)
        self.clock = NodeClock(ring.clock)
        disk: Disk = MemoryDisk(self.store, ring.clock, random) if ring.in_memory else InlineDisk(self.store)
        self.disk = disk
        self.host = host = Host(self.identifier, lambda caller: [ReplicationLocator(self.service, caller)])
        ring.network.attach(host)
        self.service = ReplicationService(
            self.identifier,
            disk,
            ring.network.call_from(host),
            self.clock,
            random,
            Settings(ring.slots, ring.replicas, ring.repair_after, self.number == 0, COMPARE_SECONDS),
            ring.formats,
            self._wanted,
            lambda node: node in self._live(),
            lambda: ring.begin + ring.clock.seconds(),
        )
        self.service.startService()

    def crash(self) -> None:
        """Stop between two instructions."""
        assert self.host is not None
        self.ring.network.detach(self.identifier)
        self.host = None
        self.clock.stop()
        if isinstance(self.disk, MemoryDisk):
            self.disk.crash()

    def _live(self) -> list[Identifier]:
        hears = self.ring.network.hears
        return [
            node.identifier
            for node in self.ring.nodes
            if node is self or (hears(self.identifier, node.identifier) and hears(node.identifier, self.identifier))
        ]

    def _wanted(self, point: Identifier, count: int) -> list[Identifier]:
        return sorted(self._live(), key=lambda node: distance(point, node))[:count]


class Ring:
    """Nodes 0, 1, 2 …, of which 0 is the founder."""

    def __init__(
        self,
        nodes: int = 5,
        slots: int = 4,
        replicas: int = 4,
        repair_after: float = 15.0,
        in_memory: bool = False,
        formats: Formats | None = None,
    ) -> None:
        self.slots, self.replicas, self.repair_after, self.in_memory = slots, replicas, repair_after, in_memory
        self.formats = formats or Formats()
        self.begin = BEGIN
        self.clock = HeapClock()
        self.network = Network(self.clock, Random(0), coded=True)
        self.nodes: list[Node] = []
        for number in range(nodes):
            self.add(number)

    def add(self, number: int) -> Node:
        """Start one more node."""
        node = Node(self, number)
        self.nodes.append(node)
        node.start()
        return node

    def run(self, seconds: float) -> None:
        """Let time pass."""
        self.clock.advance(seconds)

    def grow(self, members: int = 5, seconds: float = 30.0) -> float:
        """Let time pass until every slot has so many members that all serve; how many seconds that took."""
        begin = self.clock.seconds()
        while not self.is_grown(members):
            if self.clock.seconds() - begin > seconds:
                raise AssertionError(f"after {seconds} s: {self.states()}")
            self.clock.advance(0.05)
        return self.clock.seconds() - begin

    def is_grown(self, members: int) -> bool:
        """Whether each slot has so many members, and all of them serve."""
        return all(states == ["ACTIVE"] * members for states in self.states().values())

    def states(self) -> dict[int, list[str]]:
        """By slot: what the members of its newest configuration do; those that are down, or behind, do nothing."""
        up = {node.identifier: node.service.movement.records for node in self.nodes if node.host is not None}
        found: dict[int, list[str]] = {}
        for slot in range(self.slots):
            records = [held[slot] for held in up.values() if slot in held]
            newest = max((record.newest for record in records), key=lambda each: each.epoch, default=None)
            found[slot] = [
                record.state.name
                if node in up and (record := up[node].get(slot)) is not None and record.configuration == newest
                else "NONE"
                for node in (newest.members if newest is not None else ())
            ]
        return found

    def start(self, work: Coroutine[Any, Any, Any]) -> list[Any]:
        """Begin an operation; the list gets its result or Failure."""
        results: list[Any] = []
        Deferred.fromCoroutine(work).addBoth(results.append)
        return results

    def ask(self, work: Coroutine[Any, Any, T], seconds: float = 30.0) -> T:
        """The result of an operation, letting time pass for it; what it raised is raised here."""
        results: list[Any] = []
        Deferred.fromCoroutine(work).addBoth(results.append)
        if not self.clock.run_while(lambda: not results, seconds):
            raise AssertionError(f"no result after {seconds} s")
        if isinstance(results[0], Failure):
            results[0].raiseException()
        result: T = results[0]
        return result

    def close(self) -> None:
        """Stop every node; nothing may be left to run."""
        for node in self.nodes:
            if node.host is not None:
                node.service.stopService()
