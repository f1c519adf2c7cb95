"""Ring services that talk over the simulated network, with true certificates of one ring."""

import tempfile
from pathlib import Path
from random import Random
from shutil import rmtree

from p2pchat.chord.locator import ChordLocator
from p2pchat.chord.service import ChordService
from p2pchat.chord.table import NodeTable
from p2pchat.crypto.admission import Admission
from p2pchat.crypto.authority import Authority
from p2pchat.crypto.certificates import Certificate, Role
from p2pchat.crypto.noderecord import NodeRecord
from p2pchat.errors import TryElsewhere
from p2pchat.identifiers import Address, Identifier
from p2pchat.simulation.clock import HeapClock, NodeClock
from p2pchat.simulation.network import Host, Network

NOW = 1_700_000_000.0


def admissions(count: int) -> list[Admission]:
    """So many nodes of a new ring."""
    folder = Path(tempfile.mkdtemp())
    try:
        authority = Authority.create(folder / "ring", "test", 4, 1024, NOW)
        return [authority.admit(Role.NODE, NOW) for _ in range(count)]
    finally:
        rmtree(folder)


def record_of(admission: Admission, number: int, sequence: int = 1) -> NodeRecord:
    """The record of a node at an address made from `number`."""
    address = Address(f"192.0.2.{number}", 7401)
    return NodeRecord.create(
        admission.key, admission.certificate, admission.issuer, sequence, address, Address(address.host, 7402)
    )


def verifier(root: Certificate) -> NodeTable:
    """A node table that checks records as a node does."""
    return NodeTable(lambda record: record.verify(root, NOW))


class Node:
    """One life of a node."""

    def __init__(
        self, mesh: "Mesh", admission: Admission, number: int, founder: bool, kept: bytes = b"", sequence: int = 1
    ) -> None:
        self.mesh, self.number = mesh, number
        self.record = record_of(admission, number, sequence)
        self.identifier = self.record.identifier
        self.clock = NodeClock(mesh.clock)
        self.host = Host(self.identifier, lambda caller: [ChordLocator(self.service, caller)])
        table = verifier(admission.root)
        table.load(kept, mesh.clock.seconds())
        chance = Random(f"{mesh.seed} {number}")
        call = mesh.network.call_from(self.host)
        self.service = ChordService(self.record, table, call, self.greet, self.clock, chance, founder)
        mesh.network.attach(self.host)
        self.service.startService()

    async def greet(self, address: Address) -> NodeRecord:
        """As the dialer does: both learn each other's record."""
        other = next((node for node in self.mesh.nodes.values() if node.record.ring_address == address), None)
        if other is None or not self.mesh.network.hears(self.identifier, other.identifier):
            raise TryElsewhere(f"Nobody answers at {address}.")
        other.service.met(self.record)
        return other.record


class Mesh:
    """Nodes 1, 2, … of one ring; `nodes` holds those that run."""

    def __init__(self, admitted: list[Admission], seed: int = 1) -> None:
        self.admitted, self.seed = admitted, seed
        self.clock = HeapClock()
        self.network = Network(self.clock, Random(seed), coded=True)
        self.nodes: dict[int, Node] = {}

    def start(self, number: int, founder: bool = False, kept: bytes = b"", sequence: int = 1) -> Node:
        """Start a node and let it join through all addresses of this ring."""
        node = self.nodes[number] = Node(self, self.admitted[number - 1], number, founder, kept, sequence)
        seeds = [Address(f"192.0.2.{each + 1}", 7401) for each in range(len(self.admitted)) if each + 1 != number]
        node.service._spawn(node.service.join(seeds))
        return node

    def kill(self, number: int, noticed: bool = True) -> Identifier:
        """A node dies; `noticed`: the others' connections to it break at once."""
        node = self.nodes.pop(number)
        self.network.detach(node.identifier)
        node.clock.stop()
        if noticed:
            for other in self.nodes.values():
                other.service.link_lost(node.identifier)
        return node.identifier

    def identifiers(self) -> list[Identifier]:
        return sorted(node.identifier for node in self.nodes.values())

    def agreed(self) -> bool:
        """Every node believes exactly the running ones live, and has the right neighbours."""
        order = self.identifiers()
        for node in self.nodes.values():
            position = order.index(node.identifier)
            around = order[position + 1 :] + order[:position]
            status = node.service.status()
            if node.service.live() != order or list(status.successors) != around[:16]:
                return False
            if status.predecessor != (around[-1] if around else None):
                return False
        return True

    def seconds_until_agreed(self, most: float = 60.0) -> float:
        """Virtual seconds until `agreed`; AssertionError if never."""
        began = self.clock.seconds()
        while not self.agreed():
            assert self.clock.seconds() - began < most, "they do not agree"
            self.clock.advance(0.05)
        return self.clock.seconds() - began

    def stop(self) -> None:
        for number in list(self.nodes):
            self.nodes[number].service.stopService()
            self.kill(number, noticed=False)
