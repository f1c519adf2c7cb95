"""Finds nodes by multicast: nodes announce themselves and answer queries, anybody may ask.

Each interface has a socket of its own with a private port, from which queries go out and to which answers come; the
group's port is shared by all nodes of a machine, and a unicast answer to it would reach an arbitrary one of them.
"""

import socket
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError, InvalidAddressError, MulticastJoinError
from twisted.internet.interfaces import IReactorMulticast, IReactorTime
from twisted.internet.protocol import DatagramProtocol
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from p2pchat.discovery.announcement import (
    MAX_DATAGRAM_BYTES,
    NO_NONCE,
    NONCE_BYTES,
    Announcement,
    Datagram,
    Heard,
    Query,
    decode,
    encode,
)
from p2pchat.errors import Misbehaved
from p2pchat.identifiers import Address

DEFAULT_GROUP = Address("239.192.74.1", 7400)
TTL = 2
"""Hops: one router may stand between a query and a node."""
QUERY_SECONDS = 0.5
"""Between two queries of one `find`, because datagrams get lost."""
ANNOUNCE_SECONDS = 30.0
INTERFACES_SECONDS = 5.0
"""How often we look for new or vanished interfaces."""
MAX_HEARD = 1000
"""Nodes that one `find` remembers."""
MAX_ANSWERS_PER_SECOND = 100
MAX_NEWS_PER_SECOND = 100
_IP_MULTICAST_ALL = 49


class _Ear(DatagramProtocol):
    """One socket; gives every datagram that means something to the service."""

    noisy = False

    def __init__(self, take: Callable[[Datagram, str, int], None]) -> None:
        self._take = take

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:
        """Ignore what is not ours: anybody can send here."""
        if len(datagram) > MAX_DATAGRAM_BYTES:
            return
        try:
            meaning = decode(datagram)
        except Misbehaved:
            return
        self._take(meaning, addr[0], addr[1])


class _Rate:
    """So many events a second."""

    def __init__(self, clock: IReactorTime, most: int) -> None:
        self._clock, self._most = clock, most
        self._second, self._count = 0, 0

    def allows(self) -> bool:
        """Count one event; False where it is one too many."""
        second = int(self._clock.seconds())
        if second != self._second:
            self._second, self._count = second, 0
        self._count += 1
        return self._count <= self._most


class DiscoveryService(Service):
    """Multicast on some interfaces, while it runs.

    Args:
        reactor: for the sockets.
        clock: for the timers.
        chance: makes nonces.
        group: where everybody listens.
        interfaces: the addresses of the interfaces to use, asked every 5 s (interfaces.local_addresses, or fixed ones).
        ourselves: what we announce and answer (None: not yet); without it we only ask, as agents do.
        heard: is told what other nodes announce.
    """

    _log = Logger()

    def __init__(
        self,
        reactor: IReactorMulticast,
        clock: IReactorTime,
        chance: Random,
        group: Address = DEFAULT_GROUP,
        interfaces: Callable[[], Sequence[str]] = lambda: ("127.0.0.1",),
        ourselves: Callable[[], Heard | None] | None = None,
        heard: Callable[[Heard], None] = lambda _: None,
    ) -> None:
        self._reactor, self._clock, self._chance = reactor, clock, chance
        self._group, self._interfaces, self._ourselves, self._heard = group, interfaces, ourselves, heard
        self._private: dict[str, Any] = {}
        self._shared: Any = None
        self._answering: Any = None
        self._searches: dict[bytes, set[Heard]] = {}
        self._answers, self._news = _Rate(clock, MAX_ANSWERS_PER_SECOND), _Rate(clock, MAX_NEWS_PER_SECOND)
        self._failed: set[str] = set()
        self._loops = [(LoopingCall(self._look), INTERFACES_SECONDS)]
        if ourselves is not None:
            self._loops.append((LoopingCall(self.announce), ANNOUNCE_SECONDS))
        for loop, _ in self._loops:
            loop.clock = clock

    def startService(self) -> None:
        """Open the sockets; an interface that cannot do multicast is left out, with a warning."""
        super().startService()
        if self._ourselves is not None:
            self._shared = self._listen_shared()
            # Bound to no interface, so that the kernel finds the way and the source address of each answer.
            self._answering = self._reactor.listenMulticast(0, _Ear(lambda *_: None))
        for loop, seconds in self._loops:
            loop.start(seconds).addErrback(lambda why: self._log.failure("discovery stopped", why))

    def stopService(self) -> "Deferred[None] | None":
        """Close the sockets."""
        super().stopService()
        for loop, _ in self._loops:
            if loop.running:
                loop.stop()
        ports = [*self._private.values(), self._shared, self._answering]
        self._private, self._shared, self._answering = {}, None, None
        return Deferred.fromCoroutine(_closed([port for port in ports if port is not None]))

    async def find(
        self, seconds: float, ring: bytes | None = None, enough: Callable[[list[Heard]], bool] = lambda _: False
    ) -> list[Heard]:
        """Ask who is there, again and again for some seconds; whoever answered, sorted by ring and address.

        Args:
            ring: only nodes of this ring; None: of any.
            enough: ends the search early.
        """
        nonce = self._chance.randbytes(NONCE_BYTES)
        found = self._searches.setdefault(nonce, set())
        end = self._clock.seconds() + seconds
        try:
            while (left := end - self._clock.seconds()) > 0 and not enough(sorted(found)):
                self._send(encode(Query(nonce, ring)))
                await self._pause(min(left, QUERY_SECONDS), lambda: enough(sorted(found)))
        finally:
            del self._searches[nonce]
        return sorted(node for node in found if ring in (None, node.ring))

    def announce(self) -> None:
        """Say now that we are here (also done at the start, every 30 s, and on each new interface)."""
        node = self._ourselves() if self._ourselves is not None else None
        if node is not None:
            self._send(encode(Announcement(node)))

    # -- sockets

    def _listen_shared(self) -> Any:
        ear = _Ear(self._take_from_group)
        for interface in (self._group.host, ""):
            # Bound to the group itself we hear no other group on the same port; not every system allows it.
            try:
                port = self._reactor.listenMulticast(self._group.port, ear, interface=interface, listenMultiple=True)
            except CannotListenError as error:
                self._log.info("cannot listen on {interface!r}: {error}", interface=interface, error=error)
                continue
            _only_joined(port)
            return port
        self._log.warn("multicast port {port} is not to be had; use --join instead", port=self._group.port)
        return None

    def _look(self) -> None:
        """Take up new interfaces, drop those that are gone."""
        present = list(self._interfaces())
        for address in [each for each in self._private if each not in present]:
            self._private.pop(address).stopListening()
            self._log.info("multicast left {address}", address=address)
        for address in present:
            if address not in self._private:
                self._open(address)

    def _open(self, address: str) -> None:
        try:
            port = self._reactor.listenMulticast(0, _Ear(self._take_private), interface=address)
        except (CannotListenError, InvalidAddressError) as error:
            return self._complain(address, error)
        port.setTTL(TTL)
        port.setLoopbackMode(True)
        self._private[address] = port
        Deferred.fromCoroutine(self._join(address, port))
        return None

    async def _join(self, address: str, port: Any) -> None:
        try:
            await port.setOutgoingInterface(address)
            if self._shared is not None:
                await self._shared.joinGroup(self._group.host, address)
        except (MulticastJoinError, OSError) as error:
            # Joined already (the interface vanished and came back), or no multicast there: sending may still work.
            self._complain(address, error)
        self._failed.discard(address)
        node = self._ourselves() if self._ourselves is not None else None
        if node is not None:
            self._send(encode(Announcement(node)), [address])

    def _send(self, encoded: bytes, addresses: Sequence[str] | None = None) -> None:
        for address in addresses or list(self._private):
            port = self._private.get(address)
            if port is None:
                continue
            try:
                port.write(encoded, (self._group.host, self._group.port))
            except OSError as error:
                self._complain(address, error)

    def _complain(self, address: str, error: Exception) -> None:
        if address not in self._failed:
            self._failed.add(address)
            self._log.warn("multicast does not work on {address}: {error}", address=address, error=error)

    # -- what is heard

    def _take_from_group(self, datagram: Datagram, host: str, port: int) -> None:
        match datagram:
            case Query():
                self._answer(datagram, host, port)
            case Announcement(node):
                self._tell(node.seen_from(host))

    def _take_private(self, datagram: Datagram, host: str, _port: int) -> None:
        if isinstance(datagram, Announcement) and datagram.nonce != NO_NONCE:
            found = self._searches.get(datagram.nonce)
            node = datagram.node.seen_from(host)
            if found is not None and len(found) < MAX_HEARD and not self._is_us(node):
                found.add(node)

    def _answer(self, query: Query, host: str, port: int) -> None:
        node = self._ourselves() if self._ourselves is not None else None
        if node is None or query.ring not in (None, node.ring) or not self._answers.allows():
            return
        try:
            self._answering.write(encode(Announcement(node, query.nonce)), (host, port))
        except OSError as error:
            self._log.debug("no answer to {host}: {error}", host=host, error=error)

    def _tell(self, node: Heard) -> None:
        if not self._is_us(node) and self._news.allows():
            self._heard(node)

    def _is_us(self, node: Heard) -> bool:
        ours = self._ourselves() if self._ourselves is not None else None
        return ours is not None and (ours.ring, ours.ring_address) == (node.ring, node.ring_address)

    async def _pause(self, seconds: float, enough: Callable[[], bool]) -> None:
        """Wait, but not longer than necessary."""
        end = self._clock.seconds() + seconds
        while (left := end - self._clock.seconds()) > 0 and not enough():
            waited: Deferred[None] = Deferred()
            self._clock.callLater(min(left, 0.05), waited.callback, None)
            await waited


def _only_joined(port: Any) -> None:
    """Linux gives a socket what any other socket of the machine joined, unless told not to."""
    try:
        port.getHandle().setsockopt(socket.IPPROTO_IP, _IP_MULTICAST_ALL, 0)
    except (OSError, AttributeError):
        return


async def _closed(ports: list[Any]) -> None:
    for port in ports:
        await port.stopListening()
