"""A network segment in memory that carries multicast, for tests."""

from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import CannotListenError, MulticastJoinError


class Segment:
    """Carries datagrams between the sockets of several machines; `broken` interfaces carry none."""

    def __init__(self) -> None:
        self.sockets: list[MemorySocket] = []
        self.sent: list[tuple[bytes, tuple[str, int]]] = []
        self.broken: set[str] = set()
        self.taken: set[int] = set()
        self._port = 40_000

    def machine(self, *addresses: str) -> "Machine":
        """A machine with these addresses; its loopback is its own."""
        return Machine(self, addresses)

    def next_port(self) -> int:
        self._port += 1
        return self._port


class Machine:
    """Provides `listenMulticast` as a reactor does."""

    def __init__(self, segment: Segment, addresses: tuple[str, ...]) -> None:
        self.segment, self.addresses = segment, addresses

    def listenMulticast(
        self, port: int, protocol: Any, interface: str = "", maxPacketSize: int = 8192, listenMultiple: bool = False
    ) -> "MemorySocket":
        if port in self.segment.taken or (interface and interface in self.segment.broken):
            raise CannotListenError(interface, port, OSError("in use"))
        socket = MemorySocket(self, port or self.segment.next_port(), protocol, interface)
        self.segment.sockets.append(socket)
        return socket


class MemorySocket:
    """One UDP socket."""

    def __init__(self, machine: Machine, port: int, protocol: Any, interface: str) -> None:
        self.machine, self.port, self.protocol, self.interface = machine, port, protocol, interface
        self.joined: set[tuple[str, str]] = set()
        self.ttl = 1

    def setTTL(self, ttl: int) -> None:
        self.ttl = ttl

    def setLoopbackMode(self, mode: bool) -> None:
        pass

    def setOutgoingInterface(self, address: str) -> Deferred[int]:
        return succeed(1)

    def joinGroup(self, group: str, interface: str) -> Deferred[None]:
        if interface in self.machine.segment.broken:
            return fail(MulticastJoinError(group, interface))
        self.joined.add((group, interface))
        return succeed(None)

    def write(self, datagram: bytes, destination: tuple[str, int]) -> None:
        segment, source = self.machine.segment, (self.interface or self.machine.addresses[0], self.port)
        if self.interface in segment.broken:
            raise OSError("Network is unreachable")
        segment.sent.append((datagram, destination))
        for socket in list(segment.sockets):
            if socket.port == destination[1] and socket.hears(destination[0], source[0], self.machine):
                socket.protocol.datagramReceived(datagram, source)

    def hears(self, destination: str, source: str, sender: Machine) -> bool:
        """Whether a datagram from this interface of that machine reaches this socket."""
        local = source.startswith("127.")
        if local and sender is not self.machine:
            return False
        if destination.startswith("239."):
            return any(group == destination and on.startswith("127.") == local for group, on in self.joined)
        return destination in self.machine.addresses

    def stopListening(self) -> Deferred[None]:
        self.machine.segment.sockets.remove(self)
        return succeed(None)
