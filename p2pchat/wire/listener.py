"""Accepts connections: the factories of the ring port and the clients port, and what every port has."""

from functools import partial
from typing import Any

from twisted.internet.interfaces import IAddress, IReactorTime
from twisted.internet.protocol import Factory
from twisted.logger import Logger
from twisted.protocols.tls import TLSMemoryBIOFactory

from p2pchat.errors import P2PChatError, TryElsewhere
from p2pchat.wire.connection import Link, Peer, Role
from p2pchat.wire.hello import Greeting, HelloLocator, Standing, known_peer
from p2pchat.wire.links import Links
from p2pchat.wire.tls import TLS, judge_member

MAX_UNPROVEN = 512
"""Connections at one port that have not said HELLO yet; more are closed unheard."""
MAX_AGENTS = 5_000
"""Agents that one node serves; more are closed unheard and try another node."""


class Port(Factory):
    """Builds the links of one port and counts those who have not proved themselves yet."""

    noisy = False

    def __init__(self, most: int) -> None:
        self._most = most
        self._all: set[Link] = set()

    def buildProtocol(self, addr: IAddress | None) -> Link | None:
        """A new link, or None (closed at once) where there are too many."""
        unproven = sum(not link.trusted for link in self._all)
        if len(self._all) >= self._most or unproven >= MAX_UNPROVEN:
            return None
        link = self.accept()
        self._all.add(link)
        link.when_lost(self._all.discard)
        return link

    def accept(self) -> Link:
        """The link of one new connection."""
        raise NotImplementedError

    def close(self) -> None:
        """Hang up on everybody."""
        for link in list(self._all):
            link.close()

    def over_tls(self, tls: TLS, clock: IReactorTime) -> TLSMemoryBIOFactory:
        """What to listen with."""
        return _Accepting(tls, False, self, clock)


class _Accepting(TLSMemoryBIOFactory):
    def buildProtocol(self, addr: IAddress | None) -> Any:
        """None (closed at once) where the port takes no more, which Twisted's factory would wrap."""
        link = self.wrappedFactory.buildProtocol(addr)
        return None if link is None else self.protocol(self, link)


class NodePort(Port):
    """A node's port: the ring port (nodes and operators, who show certificates) or the clients port (agents).

    Args:
        standing: our place in the ring; its TLS decides which of the two ports this is.
        ring: our ring's id, 32 bytes.
        links: where accepted nodes and operators are registered; None makes this a clients port.
    """

    _log = Logger()

    def __init__(self, standing: Standing, ring: bytes, links: Links | None) -> None:
        super().__init__(MAX_AGENTS)
        self._standing, self._ring, self._links = standing, ring, links

    def accept(self) -> Link:
        """A link that answers HELLO and nothing else."""
        link = Link(self._standing.clock, (), self._standing.limits, handshake=True, tally=self._standing.tally)
        standing = self._standing
        welcome = partial(self._welcome, link)
        link.serve([HelloLocator(self._ring, standing.versions, standing.greeting, welcome)])
        return link

    def _welcome(self, link: Link, heard: Greeting) -> None:
        try:
            peer = self._judged(link, heard)
            if self._links is not None:
                self._links.add(peer)
        except P2PChatError as error:
            self._log.info("{link} is refused: {error}", link=link, error=str(error))
            # After this turn, so that the reason is written first.
            self._standing.clock.callLater(0, link.close)
            raise
        link.trust(peer, self._standing.locators(peer))
        self._standing.heard(peer, heard)

    def _judged(self, link: Link, heard: Greeting) -> Peer:
        if self._links is None:
            return Peer(Role.AGENT, link, host=link.host, version=heard.version)
        now = self._standing.now()
        peer = known_peer(link, judge_member(link.chain, self._ring, now, self._standing.evicted), heard, now)
        ours = self._standing.greeting().record
        if ours is not None and peer.identifier == ours.identifier:
            raise TryElsewhere("This is the same node.")
        return peer


def ring_port(standing: Standing, ring: bytes, links: Links) -> TLSMemoryBIOFactory:
    """What a node listens with for other nodes and operators; `standing.tls` is `member_tls`."""
    return NodePort(standing, ring, links).over_tls(standing.tls, standing.clock)


def clients_port(standing: Standing, ring: bytes) -> TLSMemoryBIOFactory:
    """What a node listens with for agents; `standing.tls` is `clients_port_tls`."""
    return NodePort(standing, ring, None).over_tls(standing.tls, standing.clock)
