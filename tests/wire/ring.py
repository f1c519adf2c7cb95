"""Nodes of a small ring for tests of the wire: real certificates, TLS in memory, no ring protocol."""

import tempfile
from functools import lru_cache
from pathlib import Path
from random import Random
from typing import Any

from twisted.protocols import amp

from p2pchat.crypto.admission import Admission
from p2pchat.crypto.authority import Authority
from p2pchat.crypto.certificates import Certificate, Role
from p2pchat.crypto.noderecord import NodeRecord
from p2pchat.errors import P2PChatError, TryElsewhere, on_wire
from p2pchat.identifiers import Address, Identifier
from p2pchat.wire.arguments import IdentifierArgument, Text
from p2pchat.wire.connection import Peer
from p2pchat.wire.dialer import Dialer
from p2pchat.wire.hello import SPOKEN, Greeting, Standing, Versions
from p2pchat.wire.links import Links
from p2pchat.wire.listener import clients_port, ring_port
from p2pchat.wire.tls import clients_port_tls, member_tls, visitor_tls
from tests.wire.network import MemoryNetwork

NOW = 1_796_000_000.0


@lru_cache
def folder() -> "tempfile.TemporaryDirectory[str]":
    """Where authorities lie; it goes when the tests end."""
    return tempfile.TemporaryDirectory(prefix="p2pchat-wire-")


@lru_cache
def authority(name: str) -> Authority:
    """An authority of its own for each name, made once for all tests."""
    return Authority.create(Path(folder().name) / name, name, 4, 1024, NOW)


@lru_cache
def admission(ring: str, number: int, role: Role = Role.NODE) -> Admission:
    """The `number`-th admission to a ring."""
    return authority(ring).admit(role, NOW)


class WhoAreYou(amp.Command):
    """Says who answers, and as whom it sees the caller."""

    response = [
        (b"me", IdentifierArgument()),
        (b"role", Text(20)),
        (b"you", IdentifierArgument(optional=True)),
    ]
    errors = on_wire(TryElsewhere)


class Introducing(amp.CommandLocator):
    """Answers WhoAreYou for one peer."""

    def __init__(self, me: Identifier, peer: Peer) -> None:
        self._me, self._peer = me, peer

    @WhoAreYou.responder
    def who(self) -> dict[str, object]:
        return {"me": self._me, "role": self._peer.role.value, "you": self._peer.identifier}


class Node:
    """One node: ring port, clients port, dialer."""

    def __init__(
        self,
        network: MemoryNetwork,
        number: int,
        ring: str = "ring",
        host: str | None = None,
        versions: Versions = SPOKEN,
    ) -> None:
        self.network, self.versions = network, versions
        self.admission = admission(ring, number)
        self.me = self.admission.identifier
        host = host or f"192.0.2.{number}"
        self.ring_address, self.clients_address = Address(host, 7401), Address(host, 7402)
        self.records: dict[Identifier, NodeRecord] = {}
        self.evicted: set[bytes] = set()
        self.met: list[Identifier] = []
        self.lost: list[Identifier] = []
        self.refused: list[P2PChatError] = []
        self.greetings: list[Greeting] = []
        self.agents: list[Peer] = []
        self.record = self.addressed(1)
        self.links = Links(network.clock)
        self.links.met.append(lambda record: self.met.append(record.identifier))
        self.links.lost.append(self.lost.append)
        self.dialer = Dialer(
            self.me,
            self.standing(member_tls(self.admission)),
            self.links,
            network.reach,
            lambda node: self.records.get(node),
            Random(number),
            self.refused.append,
        )

    def addressed(self, sequence: int) -> NodeRecord:
        """Our record with our present addresses."""
        ours = self.admission
        return NodeRecord.create(
            ours.key, ours.certificate, ours.issuer, sequence, self.ring_address, self.clients_address
        )

    def standing(self, tls: Any) -> Standing:
        """As the parts above would make it."""
        return Standing(
            self.network.clock,
            lambda: NOW,
            tls,
            self.admission.ring,
            lambda: Greeting(3, len(self.evicted), self.record),
            self._locators,
            lambda certificate: certificate.serial in self.evicted,
            lambda _, greeting: self.greetings.append(greeting),
            versions=self.versions,
        )

    def listen(self) -> "Node":
        """Open both ports."""
        ring = self.admission.ring
        self.network.ports[self.ring_address] = ring_port(self.standing(member_tls(self.admission)), ring, self.links)
        self.network.ports[self.clients_address] = clients_port(self.standing(clients_port_tls(self.admission)), ring)
        return self

    def knows(self, *nodes: "Node") -> "Node":
        """Learn where other nodes are."""
        self.records.update({node.me: node.record for node in nodes})
        return self

    def _locators(self, peer: Peer) -> list[amp.CommandLocator]:
        if peer.identifier is None:
            self.agents.append(peer)
        return [Introducing(self.me, peer)]


def agent_standing(network: MemoryNetwork, ring: bytes | None) -> Standing:
    """What an agent dials nodes with."""
    return Standing(network.clock, lambda: NOW, visitor_tls(), ring, Greeting, lambda _: [])


def operator_standing(network: MemoryNetwork, ring: str = "ring") -> Standing:
    """What an operator dials nodes with."""
    admitted = admission(ring, 1000, Role.OPERATOR)
    return Standing(network.clock, lambda: NOW, member_tls(admitted), admitted.ring, Greeting, lambda _: [])


def nobody(_certificate: Certificate) -> bool:
    """No evictions."""
    return False
